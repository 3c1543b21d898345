import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadClient } from '../../../activities/kms/official-client.ts';

describe('a client that only some have installed', () => {
  it('is loaded where it is', async () => {
    assert.equal(await loadClient('x@1', async () => 'the client'), 'the client');
  });

  it('is asked for by name and version where it is not', async () => {
    const name = '@portcullis/is-not-there';
    await assert.rejects(
      loadClient('@portcullis/is-not-there@1.2.3', () => import(name)),
      {
        code: 'KMS_UNREACHABLE',
        retryable: false,
        message:
          'the client for this kind of key is not installed: npm install --no-save @portcullis/is-not-there@1.2.3',
      },
    );
  });

  it('that is broken is a bug, and stays one', async () => {
    const bug = new TypeError('broken');
    await assert.rejects(
      loadClient('x@1', () => Promise.reject(bug)),
      bug,
    );
  });
});
