import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import { toTrustRoot } from '../../../activities/trust/trust-root.ts';
import { readTrustedRootJson } from '../../../activities/trust/trusted-root/trusted-root-json.ts';
import { isRecord } from '../../../workflows/format/record.ts';
import { keys, SIGSTORE, trustedRootBytes } from './setting.ts';
import { AUTHORITY, base64, CT_LOG, documentOf, KEYS, LOG, type Parts, pemOf, readDocument } from './trust-document.ts';
import { bentJson, problemOf } from './trusted-root.ts';

/** Values that `@sigstore/protobuf-specs` or `Date` reads as some time, and an operator did not mean. */
const NO_TIME: readonly unknown[] = [
  {},
  [],
  true,
  0,
  '',
  '2026-01-01',
  '2026-01-01T00:00:00',
  '2026-06-31T00:00:00Z',
  '2026-01-01T24:00:00Z',
  '1 Jan 2099',
  { seconds: '0', nanos: 0 },
];

/** The one `validFor` of each list, replaced. */
function withWindow(list: 'tlogs' | 'ctlogs' | 'certificateAuthorities' | 'timestampAuthorities', validFor: unknown) {
  return bentJson((json) =>
    list === 'tlogs' || list === 'ctlogs'
      ? { ...json, [list]: json[list].map((log) => ({ ...log, publicKey: { ...log.publicKey, validFor } })) }
      : { ...json, [list]: json[list].map((one) => ({ ...one, validFor })) },
  );
}

const LISTS = ['tlogs', 'ctlogs', 'certificateAuthorities', 'timestampAuthorities'] as const;
const START = '2026-01-01T00:00:00Z';

describe('a window of a trusted_root.json', () => {
  for (const list of LISTS) {
    it(`of ${list} is never wider than it was written`, () => {
      for (const time of NO_TIME) {
        assert.match(problemOf(withWindow(list, { start: time })), /validFor\.start: expected a time like/);
        assert.match(problemOf(withWindow(list, { start: START, end: time })), /validFor\.end: expected a time like/);
      }
      for (const bad of [
        { start: START, END: '2026-02-01T00:00:00Z' },
        { start: START, ends: START },
      ]) {
        assert.match(problemOf(withWindow(list, bad)), /validFor: expected a known field, found "\w+"; write end/);
        const signed = readTrustedRootJson('acme', withWindow(list, bad), 'tolerate');
        assert.match(signed.ok ? 'read' : signed.problem, /write end/);
      }
      assert.match(
        problemOf(withWindow(list, { start: START, notAfter: START })),
        /validFor: expected start, end, found the unknown field "notAfter"/,
      );
    });
  }

  it('is told where it stands beside the key that it is for, though the root comes signed', () => {
    const bytes = bentJson((json) => ({ ...json, tlogs: json.tlogs.map((log) => ({ ...log, valid_for: {} })) }));
    const read = readTrustedRootJson('acme', bytes, 'tolerate');
    assert.match(
      read.ok ? 'read' : read.problem,
      /^tlogs\[0\]: expected a known field, found "valid_for"; write validFor/,
    );
  });

  it('is the same in every time zone of the machine', () => {
    const script = `
      import { readTrustedRootJson } from './activities/trust/trusted-root/trusted-root-json.ts';
      import { toTrustRoot } from './activities/trust/trust-root.ts';
      const read = readTrustedRootJson('acme', Buffer.from(process.argv[1], 'base64'), 'refuse');
      console.log(read.ok ? toTrustRoot('acme', read.document.source.root).revision : 'refused');`;
    const revisionIn = (zone: string, bytes: Buffer) =>
      execFileSync(process.execPath, ['--input-type=module', '-e', script, bytes.toString('base64')], {
        env: { ...process.env, TZ: zone },
        cwd: new URL('../../..', import.meta.url),
        encoding: 'utf8',
      }).trim();
    const offset = withWindow('tlogs', { start: '2026-01-01T09:00:00+09:00' });
    const [utc, tokyo] = [revisionIn('UTC', offset), revisionIn('Asia/Tokyo', offset)];
    assert.match(utc, /^[0-9a-f]{64}$/);
    assert.equal(tokyo, utc);
    const bare = withWindow('tlogs', { start: '2026-01-01T09:00:00' });
    assert.deepEqual([revisionIn('UTC', bare), revisionIn('Asia/Tokyo', bare)], ['refused', 'refused']);
  });
});

describe('a trusted_root.json', () => {
  it('may have its original proto names, and is the same trust then', () => {
    const source = keys(
      'acme',
      Buffer.from(JSON.stringify(snakeCased(JSON.parse(trustedRootBytes().toString())))),
    ).source;
    const camel = keys('acme').source;
    assert.ok(source.kind === 'keys' && camel.kind === 'keys');
    assert.equal(toTrustRoot('acme', source.root).revision, toTrustRoot('acme', camel.root).revision);
  });

  it('has no field in both spellings, in whichever way it comes', () => {
    for (const bytes of [
      bentJson((json) => ({ ...json, media_type: json.mediaType })),
      bentJson((json) => ({ ...json, certificate_authorities: [] })),
      bentJson((json) => ({ ...json, tlogs: json.tlogs.map((log) => ({ ...log, base_url: 'https://other.test' })) })),
    ]) {
      for (const unknownFields of ['refuse', 'tolerate'] as const) {
        const read = readTrustedRootJson('acme', bytes, unknownFields);
        assert.match(read.ok ? 'read' : read.problem, /found it in both spellings/);
      }
    }
  });

  it('is told with file, line, field and the path in its JSON where it stands in a TrustRoot', () => {
    const text = bentJson((json) => ({ ...json, tlogs: json.tlogs.map((log) => ({ ...log, later: 1 })) })).toString();
    assert.match(
      readDocument(documentOf({ trustedRootJSON: text })).problems.join('\n'),
      /^trust\.yaml:6:\d+ spec\.trustedRootJSON: tlogs\[0\]: expected baseUrl, .*, found the unknown field "later"; remove it$/,
    );
  });

  it('has lists that are lists: none is passed over as empty', () => {
    for (const list of LISTS) {
      for (const value of ['', {}, true, { 0: {} }]) {
        assert.match(
          problemOf(bentJson((json) => ({ ...json, [list]: value }))),
          new RegExp(`^${list}: expected a list`),
        );
      }
    }
  });

  it('has nothing behind the padding of a key, an id or a certificate', () => {
    for (const bytes of [
      bentJson((json) => ({
        ...json,
        tlogs: json.tlogs.map((log) => ({ ...log, logId: { keyId: `${log.logId.keyId}AAAA` } })),
      })),
      bentJson((json) => ({
        ...json,
        certificateAuthorities: json.certificateAuthorities.map((one) => ({
          ...one,
          certChain: {
            certificates: one.certChain.certificates.map(({ rawBytes }) => ({ rawBytes: `${rawBytes}==AAAA` })),
          },
        })),
      })),
    ]) {
      assert.match(problemOf(bytes), /(?:keyId|rawBytes): expected base64/);
    }
  });

  it('is told by the place in the file, also behind a log that is left out', () => {
    const bytes = bentJson((json) => ({
      ...json,
      tlogs: json.tlogs.map((log, i) =>
        i === 0
          ? { ...log, publicKey: { ...log.publicKey, keyDetails: 'PKIX_OF_THE_FUTURE' } }
          : { ...log, logId: { keyId: Buffer.alloc(32, 1).toString('base64') } },
      ),
    }));
    assert.match(problemOf(bytes), /^tlogs\[1\]: expected the log id that follows from the key/);
  });

  it('names the kind of each key, for a log would be left out without it', () => {
    for (const keyDetails of [undefined, null, 0, 'PUBLIC_KEY_DETAILS_UNSPECIFIED']) {
      const bytes = bentJson((json) => ({
        ...json,
        ctlogs: json.ctlogs.map((log) => ({ ...log, publicKey: { ...log.publicKey, keyDetails } })),
      }));
      assert.match(problemOf(bytes), /^ctlogs\[0\]\.publicKey\.keyDetails: expected the kind of the key, found none/);
    }
  });

  it('is read as Sigstore writes it', () => {
    const seeds: unknown = createRequire(import.meta.url)('@sigstore/tuf/seeds.json');
    assert.ok(isRecord(seeds) && Object.keys(seeds).length > 0);
    for (const seed of Object.values(seeds)) {
      assert.ok(isRecord(seed) && isRecord(seed['targets']));
      const target = Buffer.from(String(seed['targets']['trusted_root.json']), 'base64');
      const read = readTrustedRootJson('public-good', target, 'refuse');
      assert.ok(read.ok, read.ok ? '' : read.problem);
      assert.equal(read.passedOver, undefined);
    }
  });
});

describe('a key or a chain of a TrustRoot document', () => {
  const keyed = (more: Parts): Parts => ({ sigstoreKeys: { ...KEYS, ...more } });
  const problems = (spec: Parts) => readDocument(documentOf(spec)).problems.join('\n');
  const key = SIGSTORE.rekorV1.key.spki.toString('base64');
  const certificate = SIGSTORE.root.der.toString('base64');
  const block = (label: string, body: string) => base64(`-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`);

  const BAD_KEYS: readonly (readonly [string, string])[] = [
    ['text behind the padding', block('PUBLIC KEY', `${key}\nAAAA`)],
    ['a second key behind the padding', block('PUBLIC KEY', `${key}\n${key}`)],
    [
      'a second key in the DER',
      base64(pemOf('PUBLIC KEY', Buffer.concat([SIGSTORE.rekorV1.key.spki, SIGSTORE.rekorV1.key.spki]))),
    ],
    [
      'a second block',
      base64(`${pemOf('PUBLIC KEY', SIGSTORE.rekorV1.key.spki)}${pemOf('PUBLIC KEY', SIGSTORE.ctLog.key.spki)}`),
    ],
    ['text before the block', base64(`key\n${pemOf('PUBLIC KEY', SIGSTORE.rekorV1.key.spki)}`)],
    ['stray bits', block('PUBLIC KEY', key.replace(/.(={1,2})$/, 'B$1'))],
    ['its label ended as another', base64(`-----BEGIN PUBLIC KEY-----\n${key}\n-----END RSA PUBLIC KEY-----\n`)],
  ];
  for (const [what, publicKey] of BAD_KEYS) {
    it(`is refused with ${what}`, () => {
      assert.match(
        problems(keyed({ tLogs: [{ ...LOG, publicKey }] })),
        /^trust\.yaml:\d+:\d+ spec\.sigstoreKeys\.tLogs\[0\]\.publicKey: the key is not usable/,
      );
      assert.match(
        problems(keyed({ ctLogs: [{ ...CT_LOG, publicKey }] })),
        /spec\.sigstoreKeys\.ctLogs\[0\]\.publicKey: the key is not usable/,
      );
    });
  }

  const chain = (body: string, more = '') =>
    problems(
      keyed({
        certificateAuthorities: [
          {
            ...AUTHORITY,
            certChain: base64(`-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n${more}`),
          },
        ],
      }),
    );
  it('is refused with text behind the padding of a certificate, or half a block beside one', () => {
    assert.match(
      chain(`${certificate}==AAAA`),
      /certChain: expected canonical base64 in each PEM block, found other text in block 1/,
    );
    assert.match(chain(`${certificate}\n${certificate}==`), /certChain: expected /);
    assert.match(
      chain(certificate, '----BEGIN CERTIFICATE----\nAAAA\n'),
      /certChain: expected PEM blocks "CERTIFICATE"/,
    );
    assert.equal(chain(certificate, 'subject=CN = root\n'), '');
  });

  it('has a window with real times', () => {
    for (const time of NO_TIME.filter((one) => typeof one === 'string')) {
      assert.match(
        problems(keyed({ tLogs: [{ ...LOG, validFor: { start: time } }] })),
        /validFor\.start: expected /,
        time,
      );
    }
  });
});

/** With the original name of each field in place of its JSON name. */
function snakeCased(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(snakeCased);
  if (!isRecord(json)) return json;
  return Object.fromEntries(
    Object.entries(json).map(([name, value]) => [
      name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      snakeCased(value),
    ]),
  );
}
