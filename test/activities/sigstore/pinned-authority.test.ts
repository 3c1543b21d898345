import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { authorityProblem, PURPOSE } from '../../../activities/sigstore/authority-chain.ts';
import { parseCertificate } from '../../../activities/sigstore/certificate/parse.ts';
import {
  type Certificate,
  caExtensions,
  EKU,
  type Extension,
  extendedKeyUsage,
  issueIntermediate,
  issueRoot,
  type Window,
} from '../../support/virtual-sigstore/ca.ts';
import { context, sequence } from '../../support/virtual-sigstore/der.ts';
import { chainTrust } from '../../support/virtual-sigstore/trusted-root.ts';
import { answerAs, createTsa } from '../../support/virtual-sigstore/tsa.ts';
import { BASES } from './negatives/bases.ts';
import { type Base, type Bend, judgementOf, SIGNED_AT, sigstore, stranger } from './negatives/case.ts';

const YEAR = 365 * 24 * 3_600_000;
const at = (ms: number) => new Date(SIGNED_AT.getTime() + ms);
const all: Window = { from: at(-YEAR), until: at(YEAR) };
const { root, intermediate } = sigstore;
const codeOf = (base: Base, bend: Bend): string => judgementOf(base, bend).split(':')[0] ?? '';

/** A trust root of one authority, and a leaf by one of its certificates. */
const pinned = (chain: readonly Certificate[], by: Certificate | undefined = chain[0]): Bend => ({
  leaf: by === undefined ? {} : { by },
  trust: (plan) => {
    plan.authorities = [chainTrust('https://fulcio.test', chain, sigstore.window)];
  },
});

const names = (critical: boolean): Extension => ({
  id: '2.5.29.30',
  critical,
  value: sequence(context(0, sequence(context(6, Buffer.from('other.test'), false)))),
});
const issuing = (name: string, window = all, ...more: readonly Extension[]) =>
  issueIntermediate(root, name, window, [...caExtensions(0), ...more]);
const middle = issueIntermediate(root, 'in the middle', all, caExtensions(1));
const lowest = issueIntermediate(middle, 'lowest', all);
const namesake = issueIntermediate(issueRoot('virtual fulcio root', all), 'virtual fulcio', all);
const endedRoot = issueRoot('ended root', { from: at(-YEAR), until: at(-60_000) });

describe('a chain that ends in an intermediate', () => {
  const keyless = [BASES.keyless, BASES.tiled, BASES.legacy, BASES.attached, BASES.stamped, BASES.bare];
  for (const base of keyless) {
    it(`pins the authority that issues: ${base.name}`, () => {
      assert.equal(codeOf(base, pinned([intermediate])), 'valid');
      assert.equal(codeOf(base, pinned([lowest, middle])), 'valid');
      assert.equal(codeOf(base, pinned([lowest])), 'valid');
    });
  }

  it('holds when the root above it has ended, for the anchor counts alone', () => {
    const below = issueIntermediate(endedRoot, 'below', all);
    assert.equal(codeOf(BASES.keyless, pinned([below, endedRoot])), 'CERTIFICATE_EXPIRED');
    assert.equal(codeOf(BASES.keyless, pinned([below])), 'valid');
  });

  const REFUSED: readonly (readonly [string, string, Bend])[] = [
    ['a sibling of it', 'CERTIFICATE_UNTRUSTED', pinned([intermediate], issuing('sibling'))],
    ['the root above it', 'CERTIFICATE_UNTRUSTED', pinned([intermediate], root)],
    ['its namesake', 'CERTIFICATE_UNTRUSTED', pinned([intermediate], namesake)],
    ["somebody else's authority", 'CERTIFICATE_UNTRUSTED', pinned([intermediate], stranger.intermediate)],
    ['an authority below it that is not in the chain', 'CERTIFICATE_UNTRUSTED', pinned([middle], lowest)],
    ['one that had ended', 'CERTIFICATE_EXPIRED', pinned([issuing('ended', { from: at(-YEAR), until: at(-60_000) })])],
    [
      'one that had not begun',
      'CERTIFICATE_EXPIRED',
      pinned([issuing('not yet', { from: at(60_000), until: at(YEAR) })]),
    ],
    [
      'an anchor that had ended',
      'CERTIFICATE_EXPIRED',
      pinned([issueIntermediate(endedRoot, 'below', all), endedRoot]),
    ],
    [
      'an authority below one that may have none',
      'CERTIFICATE_UNTRUSTED',
      pinned([issueIntermediate(intermediate, 'one too deep', all), intermediate]),
    ],
    ['critical name constraints', 'CERTIFICATE_UNTRUSTED', pinned([issuing('constrained', all, names(true))])],
    ['name constraints', 'CERTIFICATE_UNTRUSTED', pinned([issuing('constrained', all, names(false))])],
    [
      'an authority for servers',
      'CERTIFICATE_UNTRUSTED',
      pinned([issuing('for servers', all, extendedKeyUsage([EKU.serverAuth]))]),
    ],
    [
      'an authority for servers above it',
      'CERTIFICATE_UNTRUSTED',
      (() => {
        const server = issueIntermediate(root, 'for servers', all, [
          ...caExtensions(1),
          extendedKeyUsage([EKU.serverAuth]),
        ]);
        return pinned([issueIntermediate(server, 'below', all), server]);
      })(),
    ],
  ];
  for (const [what, code, bend] of REFUSED) {
    it(`does not accept ${what}`, () => assert.equal(codeOf(BASES.keyless, bend), code));
  }

  it('may be for code signing, or for any purpose', () => {
    for (const purpose of [EKU.codeSigning, '2.5.29.37.0']) {
      const authority = issuing('for signing', all, extendedKeyUsage([EKU.serverAuth, purpose]));
      assert.equal(codeOf(BASES.keyless, pinned([authority])), 'valid');
    }
  });

  it('is not kept from counting by an authority beside it whose extensions can not be read', () => {
    const broken = issuing('broken', all, { id: '2.5.29.37', critical: false, value: Buffer.from([0x30, 0x05]) });
    const beside: Bend = {
      ...pinned([intermediate]),
      trust: (plan) => {
        plan.authorities = [[broken], [intermediate]].map((chain) =>
          chainTrust('https://fulcio.test', chain, sigstore.window),
        );
      },
    };
    assert.equal(codeOf(BASES.keyless, beside), 'valid');
    assert.equal(codeOf(BASES.keyless, pinned([broken])), 'CERTIFICATE_UNTRUSTED');
  });

  it('counts within the window that the trust root gives it', () => {
    const until = (ms: number): Bend => ({
      ...pinned([intermediate]),
      trust: (plan) => {
        plan.authorities = [chainTrust('https://fulcio.test', [intermediate], { from: at(-YEAR), until: at(ms) })];
      },
    });
    assert.equal(codeOf(BASES.keyless, until(1_000)), 'valid');
    assert.equal(codeOf(BASES.keyless, until(-1_000)), 'CERTIFICATE_EXPIRED');
  });
});

describe('a timestamp authority without its root', () => {
  const tsaRoot = issueRoot('stamping root', all);
  const ended = issueRoot('ended stamping root', { from: at(-YEAR), until: at(-60_000) });
  const stampedBy = (
    issuer: Certificate,
    chain: (leaf: Certificate) => readonly Certificate[],
    brings: readonly Certificate[] = [],
  ): Bend => {
    const tsa = createTsa({ name: 'stamps', window: all, issuer });
    return {
      stamps: (_, { signature }) => {
        const request = {
          hash: 'sha256',
          imprint: createHash('sha256').update(signature).digest(),
          certificates: true,
        } as const;
        return [answerAs(tsa.leaf, [tsa.leaf, ...brings], request, SIGNED_AT).toString('base64')];
      },
      trust: (plan) => {
        plan.timestampAuthorities = [chainTrust('https://tsa.test', chain(tsa.leaf), all)];
      },
    };
  };
  const issuer = issueIntermediate(tsaRoot, 'stamping issuer', all, [
    ...caExtensions(0),
    extendedKeyUsage([EKU.timeStamping]),
  ]);

  it('is accepted by its issuer, whatever certificates of its own a timestamp brings along', () => {
    for (const brings of [[], [issuer], [issuer, tsaRoot], [tsaRoot, issuer]]) {
      assert.equal(
        codeOf(
          BASES.stamped,
          stampedBy(issuer, (leaf) => [leaf, issuer], brings),
        ),
        'valid',
      );
      assert.equal(
        codeOf(
          BASES.stamped,
          stampedBy(issuer, (leaf) => [leaf, issuer, tsaRoot], brings),
        ),
        'valid',
      );
    }
  });

  it('is not accepted with certificates of others, alone, or below one that is not for time stamping', () => {
    const alone = (leaf: Certificate) => [leaf];
    const withIssuer = (leaf: Certificate) => [leaf, issuer];
    assert.equal(codeOf(BASES.stamped, stampedBy(issuer, withIssuer, [issuer, root])), 'TIMESTAMP_INVALID');
    assert.equal(codeOf(BASES.stamped, stampedBy(issuer, withIssuer, [middle])), 'TIMESTAMP_INVALID');
    assert.equal(codeOf(BASES.stamped, stampedBy(issuer, alone)), 'TIMESTAMP_INVALID');
    const server = issueIntermediate(tsaRoot, 'for servers', all, [
      ...caExtensions(0),
      extendedKeyUsage([EKU.serverAuth]),
    ]);
    assert.equal(
      codeOf(
        BASES.stamped,
        stampedBy(server, (leaf) => [leaf, server]),
      ),
      'TIMESTAMP_UNTRUSTED',
    );
    assert.equal(
      codeOf(
        BASES.stamped,
        stampedBy(ended, (leaf) => [leaf, ended]),
      ),
      'TIMESTAMP_UNTRUSTED',
    );
  });
});

describe('an authority by which nothing could be valid', () => {
  const problemOf = (...chain: readonly Certificate[]) => {
    const found = authorityProblem(
      chain.map(({ der }) => parseCertificate(der)),
      PURPOSE.codeSigning,
    );
    return found === undefined ? undefined : `${found.place}: ${found.problem}`;
  };

  it('is told with the place and the reason', () => {
    assert.equal(problemOf(intermediate), undefined);
    assert.equal(problemOf(lowest, middle, root), undefined);
    assert.match(problemOf(issuing('a', all, names(true))) ?? '', /^1: its critical extension "2\.5\.29\.30"/);
    assert.match(problemOf(issuing('a', all, names(false)), root) ?? '', /^1: its name constraints/);
    assert.match(
      problemOf(issuing('a', all, extendedKeyUsage([EKU.serverAuth])), root) ?? '',
      /^1: its extended key usage excludes code signing/,
    );
    assert.match(
      problemOf(issueIntermediate(intermediate, 'a', all), intermediate, root) ?? '',
      /^2: its path length allows 0 authorities below it, the chain has 1/,
    );
  });
});
