import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { refusal, startMirror, storeFor, targetsOf, useAndRefresh } from './setting.ts';
import { bentJson } from './trusted-root.ts';

describe('a trusted root that a TUF repository signs', () => {
  it('is used with fields of a later version in it, and says so', async (t) => {
    const later = bentJson((json) => ({ ...json, tlogs: json.tlogs.map((log) => ({ ...log, laterField: {} })) }));
    const { document } = await startMirror(t, { targets: targetsOf(later) });
    const { store, events } = storeFor(t);
    await useAndRefresh(store, document);
    assert.equal(store.find('acme').logs.length, 2);
    assert.deepEqual(
      events.filter(({ kind }) => kind === 'passed-over'),
      [
        {
          kind: 'passed-over',
          name: 'acme',
          problem:
            'what is not known here is passed over: tlogs[0]."laterField", tlogs[1]."laterField"; upgrade portcullis',
        },
      ],
    );
  });

  it('is refused where a name is a near miss, and the older one stays in use', async (t) => {
    const { document, repository } = await startMirror(t);
    const { store, events } = storeFor(t);
    await useAndRefresh(store, document);
    const { revision } = store.find('acme');
    const bent = bentJson((json) => ({
      ...json,
      tlogs: json.tlogs.map((log) => ({
        ...log,
        publicKey: { ...log.publicKey, validFor: { ...log.publicKey.validFor, END: '2026-06-02T00:00:00Z' } },
      })),
    }));
    repository.publish({ targets: targetsOf(bent) });
    await store.refresh();
    assert.equal(store.find('acme').revision, revision);
    const failed = events.find((event) => event.kind === 'failed');
    assert.match(
      failed?.problem ?? '',
      /tlogs\[0\]\.publicKey\.validFor: expected a known field, found "END"; write end/,
    );
  });

  it('is no trust root at all where it is the first one', async (t) => {
    const bent = bentJson((json) => ({ ...json, certificate_authorities: [] }));
    const { document } = await startMirror(t, { targets: targetsOf(bent) });
    const { store } = storeFor(t);
    await useAndRefresh(store, document);
    const { code, message } = refusal(store);
    assert.equal(code, 'TRUST_ROOT_UNAVAILABLE');
    assert.match(message, /certificateAuthorities: expected the field once, found it in both spellings/);
  });
});
