import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Authority } from '../../../activities/policy/policy-set.ts';
import { trustedRootFile } from './material.ts';
import { authorityOf, KEYLESS, type Parts, policyDocument, problemsOf, publicKeyPem } from './policy-directory.ts';

const KEY: Parts = { key: { data: publicKeyPem() } };
const PUBLIC: Parts = { keyless: KEYLESS };
const PRIVATE: Parts = { keyless: { ...KEYLESS, trustRootRef: 'ours' } };
const FILES = { 'trust/ours.json': trustedRootFile(), 'trust/tsa.json': trustedRootFile() };

/** What is asked for: the log and the timestamps, each by its trust root. */
async function asked(t: TestContext, authority: Parts) {
  const { log, timestamps, observers }: Authority = await authorityOf(t, authority, FILES);
  assert.equal(observers, 0);
  assert.equal(timestamps?.count ?? 1, 1);
  assert.deepEqual([log?.mode ?? 'offline', log?.entries ?? 1, log?.cosignatures ?? 0], ['offline', 1, 0]);
  return { log: log?.trustRoot, timestamps: timestamps?.trustRoot };
}

async function problems(t: TestContext, authority: Parts) {
  return (await problemsOf(t, { 'demo.yaml': policyDocument([authority]), ...FILES })).join('\n');
}

const URL_ONLY = { ctlog: { url: 'https://rekor.example' } };
const OURS = { trustRootRef: 'ours' };
const TSA = { rfc3161timestamp: { trustRootRef: 'tsa' } };
const OURS_TSA = { rfc3161timestamp: OURS };
const BUNDLE = { signatureFormat: 'bundle' };
const LEGACY = { signatureFormat: 'legacy' };

describe('which log and which timestamps an authority asks for', () => {
  const rows: readonly (readonly [string, Parts, string | undefined, string | undefined])[] = [
    ['a key alone asks for nothing', KEY, undefined, undefined],
    ['a key with an empty ctlog asks for nothing', { ...KEY, ctlog: {} }, undefined, undefined],
    ['a key with a log address asks for the public log', { ...KEY, ...URL_ONLY }, 'public-good', undefined],
    ['a key with a trust root of the log asks for its log', { ...KEY, ctlog: OURS }, 'ours', undefined],
    ['timestamps take the place of the log', { ...KEY, ctlog: OURS, ...TSA }, undefined, 'tsa'],
    [
      'timestamps without a trust root come on top',
      { ...KEY, ctlog: OURS, rfc3161timestamp: {} },
      'ours',
      'public-good',
    ],
    ['the format of keys changes nothing', { ...KEY, ...TSA, ...BUNDLE }, undefined, 'tsa'],
    ['keyless alone asks for the public log', PUBLIC, 'public-good', undefined],
    ['keyless with a trust root asks for its log', PRIVATE, 'ours', undefined],
    ['keyless with a log address asks for the public log', { ...PRIVATE, ...URL_ONLY }, 'public-good', undefined],
    ['keyless with a trust root of the log asks for that', { ...PUBLIC, ctlog: OURS }, 'ours', undefined],
    ['keyless with timestamps needs no log', { ...PRIVATE, ...TSA }, undefined, 'tsa'],
    ['keyless with timestamps and an empty ctlog needs no log', { ...PRIVATE, ctlog: {}, ...TSA }, undefined, 'tsa'],
    ['keyless with timestamps and a log needs no log', { ...PRIVATE, ctlog: OURS, ...TSA }, undefined, 'tsa'],
    ['keyless with timestamps of no trust root', { ...PUBLIC, rfc3161timestamp: {} }, 'public-good', 'public-good'],
    ['the older format is judged like no format', { ...PRIVATE, ...TSA, ...LEGACY }, undefined, 'tsa'],
    [
      'bundles with timestamps and a log need no log',
      { ...PRIVATE, ctlog: OURS, ...OURS_TSA, ...BUNDLE },
      undefined,
      'ours',
    ],
    ['bundles with timestamps alone need both', { ...PRIVATE, ...OURS_TSA, ...BUNDLE }, 'ours', 'ours'],
    ['bundles with an empty ctlog need the public log', { ...PUBLIC, ctlog: {}, ...BUNDLE }, 'public-good', undefined],
  ];
  for (const [title, authority, log, timestamps] of rows) {
    it(title, async (t) => assert.deepEqual(await asked(t, authority), { log, timestamps }));
  }

  it('no keyless authority loads that asks for no verified time', async (t) => {
    for (const trust of [PUBLIC, PRIVATE]) {
      for (const ctlog of [{}, { ctlog: {} }, URL_ONLY, { ctlog: OURS }]) {
        for (const stamp of [{}, { rfc3161timestamp: {} }, OURS_TSA, TSA]) {
          for (const format of [{}, BUNDLE, LEGACY]) {
            const authority = { ...trust, ...ctlog, ...stamp, ...format };
            if ((await problems(t, authority)) !== '') continue;
            const { log, timestamps } = await asked(t, authority);
            assert.notEqual(log ?? timestamps, undefined, JSON.stringify(authority));
          }
        }
      }
    }
  });

  it('keyless with the log switched off and nothing else is refused', async (t) => {
    const text = await problems(t, { ...PUBLIC, ctlog: {} });
    assert.match(text, /\.ctlog: expected url or trustRootRef, .*; remove ctlog, a certificate needs a verified time$/);
  });

  it('bundles are of one trust root', async (t) => {
    const log = await problems(t, { ...PRIVATE, ...URL_ONLY, ...BUNDLE });
    assert.match(log, /\.ctlog: expected the trust root ours of keyless .*, found public-good; correct trustRootRef$/);
    const stamp = await problems(t, { ...PRIVATE, ...TSA, ...BUNDLE });
    assert.match(stamp, /rfc3161timestamp\.trustRootRef: expected the trust root ours .*, found tsa; correct/);
    const none = await problems(t, { ...PRIVATE, rfc3161timestamp: {}, ...BUNDLE });
    assert.match(none, /rfc3161timestamp: expected the trust root ours .*, found public-good/);
  });

  it('a log can be named by its key', async (t) => {
    const { log } = await authorityOf(t, { ...KEY, ctlog: { url: 'https://rekor.example', 'public-key': KEY['key'] } });
    assert.equal(log?.url, 'https://rekor.example');
    assert.equal(log?.publicKey?.asymmetricKeyType, 'ec');
    const both = await problems(t, { ...KEY, ctlog: { ...OURS, 'public-key': KEY['key'] } });
    assert.match(both, /\.ctlog: expected one of public-key and trustRootRef, found both; remove one$/);
    const bad = await problems(t, { ...KEY, ctlog: { 'public-key': { data: 'x' } } });
    assert.match(bad, /ctlog\.public-key\.data: the key is not usable: /);
  });
});
