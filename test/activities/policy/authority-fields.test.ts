import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { matches } from '../../../activities/sigstore/requirement/text-pattern.ts';
import { authorityChain } from './material.ts';
import { authorityOf, KEYLESS, type Parts, policyDocument, publicKeyPem, setOf } from './policy-directory.ts';

const PEM = publicKeyPem();
const KEY: Parts = { key: { data: PEM } };
const keyless = (more: Parts): Parts => ({ keyless: { ...KEYLESS, ...more } });

describe('what is read of an authority', () => {
  it('identities, exact and by anchored patterns', async (t) => {
    const identities = [
      { issuer: 'https://a.example', subject: 'a.b' },
      { issuerRegExp: 'https://.*', subjectRegExp: '[ab]+' },
      { issuerRegExp: '^$', subject: 'no-issuer@example.com' },
    ];
    const { signer } = await authorityOf(t, keyless({ identities }));
    assert.ok(signer.kind === 'keyless');
    assert.deepEqual(
      signer.identities.map(({ issuer, subject }) => [issuer.kind, subject.kind]),
      [
        ['exact', 'exact'],
        ['pattern', 'pattern'],
        ['pattern', 'exact'],
      ],
    );
    const unissued = signer.identities[2]?.issuer ?? assert.fail('no third identity');
    assert.deepEqual([matches(unissued, ''), matches(unissued, 'https://a.example')], [true, false]);
    const { trustRoot, claims, certificateAuthority, insecureIgnoreSct } = signer;
    assert.deepEqual(
      { trustRoot, claims, certificateAuthority, insecureIgnoreSct },
      {
        trustRoot: 'public-good',
        claims: [],
        certificateAuthority: undefined,
        insecureIgnoreSct: false,
      },
    );
  });

  it('a certificate authority of its own, in the policy or in a file', async (t) => {
    const [intermediate, root] = authorityChain();
    const pem = `${intermediate.pem}\n${root.pem}\n`;
    for (const reference of [{ data: pem }, { secretRef: { name: 'ca', namespace: 'cosign-system' } }]) {
      const authority = keyless({ 'ca-cert': reference, insecureIgnoreSCT: true });
      const { signer } = await authorityOf(t, authority, { 'secrets/ca.pem': pem });
      assert.ok(signer.kind === 'keyless' && signer.insecureIgnoreSct);
      assert.deepEqual(
        signer.certificateAuthority?.map((der) => Buffer.from(der).toString('hex')),
        [intermediate.der, root.der].map((der) => der.toString('hex')),
      );
    }
  });

  it('static answers, with a message', async (t) => {
    const { signer, log, sources, formats } = await authorityOf(t, { static: { action: 'fail', message: 'no more' } });
    assert.deepEqual(
      { signer, log, sources, formats },
      {
        signer: { kind: 'static', action: 'fail', message: 'no more' },
        log: undefined,
        sources: [],
        formats: [],
      },
    );
    assert.equal((await authorityOf(t, { static: { action: 'pass' } })).signer.kind, 'static');
  });

  it('places of evidence, with their credentials', async (t) => {
    const config = JSON.stringify({ auths: { 'a.example': { auth: Buffer.from('user:pass').toString('base64') } } });
    const secret = JSON.stringify({
      kind: 'Secret',
      type: 'kubernetes.io/dockerconfigjson',
      data: { '.dockerconfigjson': Buffer.from(config).toString('base64') },
    });
    const source = [
      { oci: 'a.example:5000/signatures', tagPrefix: 'v1-', signaturePullSecrets: [{ name: 'one' }, { name: 'two' }] },
      { oci: 'alpine' },
      { oci: 'REGISTRY.example.:0443/acme/signatures' },
      { tagPrefix: 'only' },
      {},
    ];
    const files = { 'secrets/one.json': config, 'secrets/two.json': secret };
    const set = await setOf(t, { 'demo.yaml': policyDocument([{ ...KEY, source }]), ...files });
    assert.deepEqual(set.policies[0]?.authorities[0]?.sources, [
      { repository: 'a.example:5000/signatures', tagPrefix: 'v1-', pullSecrets: ['one', 'two'] },
      { repository: 'docker.io/library/alpine' },
      { repository: 'registry.example/acme/signatures' },
      { tagPrefix: 'only' },
      {},
    ]);
    for (const name of ['one', 'two']) {
      const credential = set.pullSecrets.get(name)?.auths.get('a.example');
      assert.deepEqual(credential, { kind: 'password', username: 'user', password: 'pass' });
    }
  });

  it('attestations with aliases, full types and conditions', async (t) => {
    const attestations = [
      { name: 'provenance', predicateType: 'slsaprovenance1', policy: { type: 'cel', data: 'true' } },
      { name: 'own', predicateType: 'https://example.com/own/v1' },
    ];
    const authority = await authorityOf(t, { ...KEY, attestations });
    assert.deepEqual(
      authority.attestations.map(({ name, predicateTypes, condition }) => [name, predicateTypes, condition?.source]),
      [
        ['provenance', ['https://slsa.dev/provenance/v1'], 'true'],
        ['own', ['https://example.com/own/v1'], undefined],
      ],
    );
  });

  it('formats and modes', async (t) => {
    assert.deepEqual((await authorityOf(t, KEY)).formats, ['bundle', 'legacy']);
    for (const signatureFormat of ['bundle', 'legacy']) {
      assert.deepEqual((await authorityOf(t, { ...KEY, signatureFormat })).formats, [signatureFormat]);
    }
    for (const mode of ['warn', 'enforce']) {
      const { policies } = await setOf(t, { 'demo.yaml': policyDocument([KEY], { mode }) });
      assert.equal(policies[0]?.mode, mode);
    }
    assert.equal((await setOf(t, { 'demo.yaml': policyDocument([KEY]) })).policies[0]?.mode, 'enforce');
  });
});
