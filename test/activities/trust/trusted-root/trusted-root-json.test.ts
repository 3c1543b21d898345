import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { toTrustRoot } from '../../../../activities/trust/trust-root.ts';
import { readTrustedRootJson } from '../../../../activities/trust/trusted-root/trusted-root-json.ts';
import type { trustedRootJson } from '../../../support/virtual-sigstore/trusted-root.ts';
import { trustedRootBytes } from '../setting.ts';
import { bentJson, logsOf, problemOf } from '../trusted-root.ts';

describe('a trusted_root.json', () => {
  it('is read by either spelling of its media type, 0.1 and 0.2', () => {
    for (const mediaType of [
      'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
      'application/vnd.dev.sigstore.trustedroot.v0.1+json',
      'application/vnd.dev.sigstore.trustedroot.v0.2+json',
    ]) {
      assert.equal(logsOf(bentJson((json) => ({ ...json, mediaType }))).length, 2);
    }
  });

  it('may lack logs altogether, as that of GitHub for private repositories does', () => {
    const bytes = bentJson(({ mediaType, certificateAuthorities, timestampAuthorities }) => ({
      mediaType,
      certificateAuthorities,
      timestampAuthorities,
    }));
    assert.deepEqual(logsOf(bytes), []);
  });

  it('may have fields of the future where it comes signed, and they are told', () => {
    const bytes = bentJson((json) => ({
      ...json,
      later: 1,
      tlogs: json.tlogs.map((log) => ({ ...log, operator: 'acme', later: {} })),
    }));
    const read = readTrustedRootJson('acme', bytes, 'tolerate');
    assert.ok(read.ok, read.ok ? '' : read.problem);
    assert.equal(
      read.passedOver,
      'what is not known here is passed over: tlogs[0]."later", tlogs[1]."later", "later"; upgrade portcullis',
    );
    assert.match(problemOf(bytes), /found the unknown field "later"; remove it/);
    const known = readTrustedRootJson('acme', trustedRootBytes(), 'tolerate');
    assert.equal(known.ok && known.passedOver, undefined);
  });

  it('goes without a log whose kind of key is not known here', () => {
    const unknown = (json: ReturnType<typeof trustedRootJson>) => ({
      ...json,
      tlogs: json.tlogs.map((log, i) =>
        i === 0 ? log : { ...log, publicKey: { ...log.publicKey, keyDetails: 'PKIX_OF_THE_FUTURE' } },
      ),
    });
    assert.deepEqual(
      logsOf(bentJson(unknown)).map(({ version }) => version),
      ['v1'],
    );
  });

  const REFUSED: readonly (readonly [string, () => Uint8Array, RegExp])[] = [
    ['no bytes', () => Buffer.alloc(0), /^expected the JSON of a trusted root, found other bytes: it is not JSON/],
    ['bytes that are no text', () => Buffer.from([0xff, 0xfe]), /it is not UTF-8/],
    ['a cut', () => trustedRootBytes().subarray(0, -10), /it is not JSON/],
    ['a field twice', () => Buffer.from('{"mediaType":"a","mediaType":"b"}'), /names one field twice/],
    ['deep nesting', () => Buffer.from('['.repeat(100_000)), /deeper than 64 levels/],
    [
      'too many bytes',
      () => Buffer.alloc(1024 * 1024 + 1, ' '),
      /at most 1048576 bytes of trusted root, found 1048577/,
    ],
    ['a list', () => Buffer.from('[]'), /expected a JSON object/],
    ['no media type', () => bentJson(({ mediaType: _, ...json }) => json), /expected the mediaType .*, found none/],
    [
      'another media type',
      () => bentJson((json) => ({ ...json, mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json' })),
      /found "application\/vnd\.dev\.sigstore\.bundle/,
    ],
    [
      'a version of the future',
      () => bentJson((json) => ({ ...json, mediaType: 'application/vnd.dev.sigstore.trustedroot.v1+json' })),
      /expected the mediaType/,
    ],
    [
      'nothing in it',
      () => bentJson(({ mediaType }) => ({ mediaType })),
      /expected an authority or a transparency log, found none/,
    ],
    [
      'an authority that is text',
      () => bentJson((json) => ({ ...json, certificateAuthorities: ['a'] })),
      /certificateAuthorities\[0\]: expected an object, found "a"/,
    ],
    [
      'an authority that is null',
      () => bentJson((json) => ({ ...json, certificateAuthorities: [null] })),
      /certificateAuthorities\[0\]: expected an object, found null/,
    ],
    [
      'an authority without a start',
      () =>
        bentJson((json) => ({
          ...json,
          certificateAuthorities: json.certificateAuthorities.map(({ validFor: _, ...one }) => one),
        })),
      /certificateAuthorities\[0\]: expected validFor\.start/,
    ],
    [
      'an authority that only ends',
      () =>
        bentJson((json) => ({
          ...json,
          timestampAuthorities: json.timestampAuthorities.map((one) => ({
            ...one,
            validFor: { end: '2027-01-01T00:00:00Z' },
          })),
        })),
      /timestampAuthorities\[0\]: expected validFor\.start/,
    ],
    [
      'a time that is none',
      () =>
        bentJson((json) => ({
          ...json,
          certificateAuthorities: json.certificateAuthorities.map((one) => ({
            ...one,
            validFor: { start: 'yesterday' },
          })),
        })),
      /expected a time like/,
    ],
    [
      'a log without a start',
      () =>
        bentJson((json) => ({
          ...json,
          tlogs: json.tlogs.map((log) => ({ ...log, publicKey: { ...log.publicKey, validFor: {} } })),
        })),
      /tlogs\[0\]: expected validFor\.start/,
    ],
    [
      'a log without a key',
      () => bentJson((json) => ({ ...json, tlogs: json.tlogs.map(({ publicKey: _, ...log }) => log) })),
      /tlogs\[0\]: the key is not usable/,
    ],
    [
      'a log with half a key',
      () =>
        bentJson((json) => ({
          ...json,
          tlogs: json.tlogs.map((log) => ({
            ...log,
            publicKey: { ...log.publicKey, rawBytes: log.publicKey.rawBytes.slice(0, 40) },
          })),
        })),
      /tlogs\[0\]: the key is not usable/,
    ],
    [
      'a log without a URL',
      () => bentJson((json) => ({ ...json, tlogs: json.tlogs.map((log) => ({ ...log, baseUrl: '' })) })),
      /tlogs\[0\]: expected an http or https baseUrl, found ""/,
    ],
    [
      'a log at a file',
      () => bentJson((json) => ({ ...json, tlogs: json.tlogs.map((log) => ({ ...log, baseUrl: 'file:///etc' })) })),
      /tlogs\[0\]: expected an http or https baseUrl/,
    ],
    [
      'a log with another hash',
      () => bentJson((json) => ({ ...json, tlogs: json.tlogs.map((log) => ({ ...log, hashAlgorithm: 'SHA2_512' })) })),
      /tlogs\[0\]: expected the hash algorithm SHA2_256/,
    ],
    [
      'a hash of the future',
      () => bentJson((json) => ({ ...json, tlogs: json.tlogs.map((log) => ({ ...log, hashAlgorithm: 'SHA9' })) })),
      /tlogs\[0\]\.hashAlgorithm: expected a value that is known/,
    ],
    [
      'the id of another log',
      () =>
        bentJson((json) => ({
          ...json,
          tlogs: json.tlogs.map((log) => ({ ...log, logId: { keyId: Buffer.alloc(32, 1).toString('base64') } })),
        })),
      /tlogs\[0\]: expected the log id that follows from the key/,
    ],
    [
      'the id of another CT log',
      () =>
        bentJson((json) => ({
          ...json,
          ctlogs: json.ctlogs.map((log) => ({ ...log, logId: { keyId: Buffer.alloc(32, 1).toString('base64') } })),
        })),
      /ctlogs\[0\]: expected the log id that follows from the key/,
    ],
    [
      'too many logs',
      () => bentJson((json) => ({ ...json, ctlogs: Array.from({ length: 65 }, () => json.ctlogs[0]) })),
      /ctlogs: expected at most 64, found 65/,
    ],
  ];
  for (const [what, bytes, problem] of REFUSED) {
    it(`is refused with ${what}`, () => assert.match(problemOf(bytes()), problem));
  }

  it('never makes its reader fail, whatever byte is bent', () => {
    const bytes = trustedRootBytes();
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
        const bent = Buffer.from(bytes);
        bent.writeUInt8(bent.readUInt8(at) ^ by, at);
        const read = readTrustedRootJson('acme', bent, 'refuse');
        if (read.ok)
          assert.ok(
            read.document.source.kind === 'keys' &&
              toTrustRoot('acme', read.document.source.root).revision.length === 64,
          );
        else assert.doesNotMatch(read.problem, /[\n\r]/);
      }),
      { numRuns: 300 },
    );
  });
});
