import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { azureFailure } from '../../../activities/kms/azure/failure.ts';
import { kmsFailure } from '../../../activities/kms/failure.ts';
import { gcpFailure } from '../../../activities/kms/gcp/failure.ts';
import { unexpectedAnswer } from '../../../activities/kms/vault/failure.ts';
import { explainedCodes } from '../../../shim/cli/reason-pages.ts';

const call = (service: string) => ({ service, permission: 'a permission', key: 'a key' });
const PERMISSION_DENIED = 7;

/** What each provider's own refusal of a permission comes to. */
const REFUSALS: readonly (readonly [folder: string, refusal: unknown])[] = [
  ['aws', kmsFailure('denied', call('AWS KMS in eu-west-1'), 'AccessDeniedException')],
  ['gcp', gcpFailure(call('Google Cloud KMS'), Object.assign(new Error('no'), { code: PERMISSION_DENIED }))],
  ['azure', azureFailure(call('Azure Key Vault v.vault.azure.net'), Object.assign(new Error(), { statusCode: 403 }))],
  ['vault', unexpectedAnswer(call('Vault at v:8200'), new Response(null, { status: 403 }), 'permission denied')],
  ['vault', unexpectedAnswer(call('OpenBao at v:8200'), new Response(null, { status: 403 }), 'permission denied')],
];
const FOLDERS = ['aws', 'gcp', 'azure', 'vault'];

describe('what a worker is told that lacks a permission of a KMS', () => {
  for (const [folder, refusal] of REFUSALS) {
    it(`names infra/${folder} alone`, () => {
      assert.ok(refusal instanceof Error);
      const named = FOLDERS.filter((one) => refusal.message.includes(`infra/${one}`));
      assert.deepEqual(named, [folder], refusal.message);
      assert.ok(existsSync(new URL(`../../../infra/${folder}`, import.meta.url)));
    });
  }

  it('names no provider but its own in its other advice', () => {
    for (const kind of ['missing', 'no-credentials', 'refused-credentials', 'unreachable'] as const) {
      for (const service of ['Google Cloud KMS', 'Azure Key Vault v.vault.azure.net', 'Vault at v:8200']) {
        assert.doesNotMatch(
          kmsFailure(kind, call(service)).message,
          /region|account\b|role|AWS/,
          `${service}: ${kind}`,
        );
      }
    }
    assert.match(kmsFailure('missing', call('AWS KMS in eu-west-1')).message, /check region and account$/);
  });

  it('names all of them where the provider is not known', () => {
    const cure = explainedCodes().get('KMS_ACCESS_DENIED')?.cure ?? '';
    assert.deepEqual(
      FOLDERS.filter((folder) => cure.includes(`infra/${folder}`)),
      FOLDERS,
    );
  });
});
