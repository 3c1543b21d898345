import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import {
  type Certificate,
  caExtensions,
  EKU,
  type Extension,
  extendedKeyUsage,
  issueIntermediate,
  issueRoot,
} from '../../support/virtual-sigstore/ca.ts';
import { context, sequence } from '../../support/virtual-sigstore/der.ts';
import { AUTHORITY, base64, documentOf, KEYS, pemOf, readDocument, TSA } from '../trust/trust-document.ts';
import { bentJson, problemOf } from '../trust/trusted-root.ts';
import { authorityOf, KEYLESS, policyDocument, problemsOf } from './policy-directory.ts';

const WINDOW = { from: new Date('2020-01-01T00:00:00Z'), until: new Date('2040-01-01T00:00:00Z') };
const root = issueRoot('root', WINDOW);
const intermediate = issueIntermediate(root, 'intermediate', WINDOW);
const withExtensions = (...extensions: readonly Extension[]) => issueIntermediate(root, 'bent', WINDOW, extensions);
const names = (critical: boolean): Extension => ({
  id: '2.5.29.30',
  critical,
  value: sequence(context(0, sequence(context(6, Buffer.from('a.test'), false)))),
});

const pemIn = (...chain: readonly Certificate[]) => chain.map(({ pem }) => pem).join('');
const authority = (pem: string) => ({ keyless: { ...KEYLESS, 'ca-cert': { data: pem } } });
const problemsWith = async (t: TestContext, pem: string) =>
  (await problemsOf(t, { 'demo.yaml': policyDocument([authority(pem)]) })).join('\n');

/** Authorities below which nothing can be valid, and why. */
const USELESS: readonly (readonly [string, readonly Certificate[], RegExp])[] = [
  ['critical name constraints', [withExtensions(...caExtensions(0), names(true))], /critical extension "2\.5\.29\.30"/],
  ['name constraints', [withExtensions(...caExtensions(0), names(false))], /name constraints are not evaluated/],
  [
    'an extended key usage without code signing',
    [withExtensions(...caExtensions(0), extendedKeyUsage([EKU.serverAuth]))],
    /extended key usage excludes code signing/,
  ],
  [
    'a path that is too long',
    [issueIntermediate(intermediate, 'below', WINDOW), intermediate],
    /path length allows 0 authorities below it, the chain has 1/,
  ],
];

describe('ca-cert', () => {
  it('may end in an intermediate, which is the anchor then', async (t) => {
    const { signer } = await authorityOf(t, authority(intermediate.pem));
    assert.ok(signer.kind === 'keyless');
    assert.equal(signer.certificateAuthority?.length, 1);
  });

  for (const [what, chain, problem] of USELESS) {
    it(`is refused with ${what}, for no image could satisfy it`, async (t) => {
      const found = await problemsWith(t, pemIn(...chain));
      assert.match(
        found,
        /^demo\.yaml:\d+:\d+ spec\.authorities\[0\]\.keyless\.ca-cert\.data: the certificates are not/,
      );
      assert.match(found, problem);
    });
  }

  it('is refused with bytes that OpenSSL passes over', async (t) => {
    const behind = pemOf('CERTIFICATE', Buffer.concat([root.der, intermediate.der]));
    assert.match(await problemsWith(t, behind), /certificate 1 can't be parsed, or has more behind it/);
    const padded = `-----BEGIN CERTIFICATE-----\n${base64(root.der)}==\nAAAA\n-----END CERTIFICATE-----\n`;
    assert.match(await problemsWith(t, padded), /certificate 1 can't be parsed/);
  });
});

describe('an authority of a trust root', () => {
  const keyed = (list: object) => readDocument(documentOf({ sigstoreKeys: { ...KEYS, ...list } })).problems.join('\n');
  const chainOf = (...chain: readonly Certificate[]) => base64(pemOf('CERTIFICATE', ...chain.map(({ der }) => der)));

  it('may end in an intermediate, in a document and in a file', () => {
    assert.equal(keyed({ certificateAuthorities: [{ ...AUTHORITY, certChain: chainOf(intermediate) }] }), '');
    const rawBytes = intermediate.der.toString('base64');
    const bytes = bentJson((json) => ({
      ...json,
      certificateAuthorities: json.certificateAuthorities.map((one) => ({
        ...one,
        certChain: { certificates: [{ rawBytes }] },
      })),
    }));
    assert.throws(() => problemOf(bytes), /it was read/);
  });

  for (const [what, chain, problem] of USELESS) {
    it(`is refused with ${what}`, () => {
      const found = keyed({ certificateAuthorities: [{ ...AUTHORITY, certChain: chainOf(...chain) }] });
      assert.match(
        found,
        /^trust\.yaml:\d+:\d+ spec\.sigstoreKeys\.certificateAuthorities\[0\]\.certChain: expected authorities/,
      );
      assert.match(found, problem);
      const certificates = chain.map(({ der }) => ({ rawBytes: der.toString('base64') }));
      const file = (others: boolean) =>
        bentJson((json) => ({
          ...json,
          certificateAuthorities: json.certificateAuthorities.flatMap((one) => [
            { ...one, certChain: { certificates } },
            ...(others ? [one] : []),
          ]),
        }));
      assert.match(problemOf(file(false)), problem);
      assert.throws(() => problemOf(file(true)), /it was read/, 'one of two is of use');
    });
  }

  it('that stamps is refused alone, and when it is not for stamping', () => {
    const leaf = (extensions: readonly Extension[]) => issueIntermediate(root, 'stamps', WINDOW, extensions);
    const stamps = leaf([extendedKeyUsage([EKU.timeStamping], true)]);
    const tsa = (...chain: readonly Certificate[]) =>
      keyed({ timestampAuthorities: [{ ...TSA, certChain: chainOf(...chain) }] });
    assert.equal(tsa(stamps, root), '');
    assert.match(
      tsa(stamps),
      /timestampAuthorities\[0\]\.certChain: expected the issuer of the certificate that signs/,
    );
    assert.match(tsa(leaf([]), root), /expected a certificate for time stamping in first place/);
  });
});
