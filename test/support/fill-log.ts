import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Rekor } from '../../infra/stack/sigstore/rekor.ts';

/** Enters this many signatures of random bytes into a Rekor v2, and waits until all of them are in its tree. */
export async function fillLog(url: string, count: number): Promise<void> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const rawBytes = publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
  const enter = async () => {
    const content = randomBytes(32);
    const hashedRekordRequestV002 = {
      digest: createHash('sha256').update(content).digest('base64'),
      signature: {
        content: sign('sha256', content, privateKey).toString('base64'),
        verifier: { publicKey: { rawBytes }, keyDetails: 'PKIX_ECDSA_P256_SHA_256' },
      },
    };
    const answer = await fetch(`${url}/api/v2/log/entries`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ hashedRekordRequestV002 }),
    });
    assert.ok(answer.ok, await answer.text());
  };
  await Promise.all(Array.from({ length: count }, enter));
}

/** Has a log serve what another one keeps in `tiles`. The log should be suspended, or it may write over it. */
export async function replaceLog(log: Rekor, tiles: string): Promise<void> {
  for (const name of ['tile', 'checkpoint']) {
    const target = join(log.tiles, name);
    await rm(target, { recursive: true, force: true });
    await cp(join(tiles, name), target, { recursive: true });
  }
}
