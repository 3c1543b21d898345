import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { KeyProvider } from '../../../activities/kms/managed-key.ts';
import { createVaultKeyManager } from '../../../activities/kms/vault/manager.ts';
import type { Environment } from '../../../activities/kms/vault/settings.ts';
import { MAX_KEY_VERSIONS, MAX_KMS_ANSWER_BYTES } from '../../../activities/limits.ts';
import { listenOnLoopback } from '../../support/loopback.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const SIGNAL = new AbortController().signal;
const TOKEN = 'hvs.a-secret-token';

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = pemOf(pair.publicKey);
const good = { type: 'ecdsa-p256', keys: { 1: { public_key: pem } }, min_decryption_version: 1 };

function pemOf(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }).toString();
}

describe('a server in the place of Vault', () => {
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  const requests: IncomingMessage[] = [];
  let url = '';
  const server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  before(async () => {
    url = `http://${await listenOnLoopback(server)}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => {
    requests.length = 0;
    answer = json(200, { data: good });
  });

  const json =
    (status: number, body: unknown, headers = {}) =>
    (_: unknown, response: ServerResponse) => {
      response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
    };
  const look = (env: Environment = {}, provider: KeyProvider = 'hashivault', uri = `${provider}://demo`) =>
    createVaultKeyManager({ VAULT_ADDR: url, VAULT_TOKEN: TOKEN, ...env }).describe({ provider, uri }, SIGNAL);
  const paths = () => requests.map((request) => request.url);

  it('is asked once, where and as the environment says', async () => {
    assert.equal((await look()).state.kind, 'usable');
    await look({ VAULT_NAMESPACE: '/admin/team-a/', TRANSIT_SECRET_ENGINE_PATH: 'signing/transit/' });
    await look({ VAULT_ADDR: `${url}/behind/a/proxy/` });
    assert.deepEqual(paths(), [
      '/v1/transit/keys/demo',
      '/v1/admin/team-a/signing/transit/keys/demo',
      '/behind/a/proxy/v1/transit/keys/demo',
    ]);
    assert.equal(requests[0]?.headers.authorization, `Bearer ${TOKEN}`);
  });

  it('is asked for OpenBao by the variables of OpenBao first', async () => {
    const found = await look({ VAULT_ADDR: 'http://127.0.0.1:9', BAO_ADDR: url, BAO_TOKEN: 'bao' }, 'openbao');
    assert.equal(found.state.kind, 'usable');
    await look({}, 'openbao');
    assert.deepEqual(
      requests.map(({ headers }) => headers.authorization),
      ['Bearer bao', `Bearer ${TOKEN}`],
    );
  });

  it('is asked with the token of ~/.vault-token as it is now', async () => {
    await using folder = await temporaryFolder();
    const env = { VAULT_TOKEN: '', HOME: folder.path };
    await assert.rejects(look(env), { code: 'KMS_CREDENTIALS', message: /VAULT_TOKEN is not set/ });
    await writeFile(join(folder.path, '.vault-token'), 'first\n');
    await look(env);
    await writeFile(join(folder.path, '.vault-token'), 'second');
    await look(env);
    await writeFile(join(folder.path, '.vault-token'), 'a secret that is\nno token');
    await assert.rejects(look(env), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'KMS_CREDENTIALS');
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
    assert.deepEqual(
      requests.map(({ headers }) => headers.authorization),
      ['Bearer first', 'Bearer second'],
    );
  });

  const SETTINGS: readonly (readonly [env: Environment, said: RegExp])[] = [
    [{ VAULT_ADDR: undefined }, /VAULT_ADDR is not set/],
    [{ VAULT_ADDR: 'vault.example:8200' }, /expected VAULT_ADDR to be a URL/],
    [{ VAULT_ADDR: 'unix:///run/vault.sock' }, /expected VAULT_ADDR to be a URL/],
    [{ VAULT_ADDR: 'https://user:secret@vault.example' }, /expected VAULT_ADDR to be a URL/],
    [{ VAULT_NAMESPACE: '../sys' }, /VAULT_NAMESPACE and TRANSIT_SECRET_ENGINE_PATH/],
    [{ TRANSIT_SECRET_ENGINE_PATH: 'transit?x=' }, /VAULT_NAMESPACE and TRANSIT_SECRET_ENGINE_PATH/],
  ];
  for (const [env, said] of SETTINGS) {
    it(`is not asked when the environment has ${JSON.stringify(env)}`, async () => {
      await assert.rejects(look(env), (error: Error & { code?: string; retryable?: boolean }) => {
        assert.deepEqual([error.code, error.retryable], ['KMS_UNREACHABLE', false]);
        assert.match(error.message, said);
        assert.doesNotMatch(error.message, /secret/);
        return true;
      });
      assert.deepEqual(requests, []);
    });
  }

  const ANSWERS: readonly (readonly [
    status: number,
    body: unknown,
    code: string,
    retryable: boolean,
    said?: RegExp,
  ])[] = [
    [403, { errors: ['1 error occurred: permission denied'] }, 'KMS_ACCESS_DENIED', false, /infra\/vault$/],
    [
      403,
      { errors: ['2 errors occurred: permission denied, invalid token'] },
      'KMS_CREDENTIALS',
      true,
      /; renew its token, which is unknown, expired or revoked$/,
    ],
    [401, 'a proxy', 'KMS_CREDENTIALS', true],
    [429, { errors: ['request path "secret": rate limit quota exceeded'] }, 'KMS_THROTTLED', true],
    [412, { errors: ['required index state not present'] }, 'KMS_ERROR', true],
    [500, { errors: ['1 error occurred: secret'] }, 'KMS_ERROR', true],
    [502, '<html>', 'KMS_ERROR', true],
    [503, { errors: ['Vault is sealed'] }, 'KMS_ERROR', true, /; unseal it$/],
    [503, 'no server', 'KMS_ERROR', true],
    [504, '', 'KMS_ERROR', true],
    [408, '', 'KMS_TIMEOUT', true],
    [307, '', 'KMS_ERROR', true, /; give the worker the address of the server to which it redirects$/],
    [204, '', 'KMS_MISBEHAVED', true],
    [400, { errors: ['secret'] }, 'KMS_MISBEHAVED', true],
    [404, '<html>not found</html>', 'KMS_MISBEHAVED', true, /a 404 of another server/],
    [200, '{', 'KMS_MISBEHAVED', true],
    [200, '[]', 'KMS_MISBEHAVED', true],
    [200, { data: null }, 'KMS_MISBEHAVED', true],
    [200, { data: {} }, 'KMS_MISBEHAVED', true],
    [200, { data: { ...good, min_decryption_version: '1' } }, 'KMS_MISBEHAVED', true],
    [200, { data: { ...good, keys: { 1: 1_700_000_000 } } }, 'KMS_MISBEHAVED', true],
    [200, { data: { ...good, keys: { one: { public_key: pem } } } }, 'KMS_MISBEHAVED', true],
    [200, { data: { ...good, keys: { 1: { public_key: 'c2hvcnQ=' } } } }, 'KMS_MISBEHAVED', true],
    [200, { data: { ...good, keys: { 1: { public_key: pem.slice(0, 60) } } } }, 'KMS_MISBEHAVED', true],
    [200, { data: good, padding: 'x'.repeat(MAX_KMS_ANSWER_BYTES) }, 'KMS_MISBEHAVED', true, /more than \d+ bytes/],
  ];
  for (const [status, body, code, retryable, said = /./] of ANSWERS) {
    const shown = JSON.stringify(body).slice(0, 60);
    it(`that says ${status} ${shown} comes to ${code}, after one request, without its words`, async () => {
      answer = json(status, body, { location: 'http://127.0.0.1:9/', 'retry-after': '7' });
      if (status === 204) answer = (_, response) => void response.writeHead(204).end();
      await assert.rejects(look(), (error: Error & { code?: string; retryable?: boolean }) => {
        assert.deepEqual([error.code, error.retryable], [code, retryable]);
        assert.match(error.message, said);
        assert.doesNotMatch(error.message, /secret|\n/);
        return true;
      });
      assert.equal(requests.length, 1);
    });
  }

  it('is asked again as late as it says', async () => {
    answer = json(429, { errors: [] }, { 'retry-after': '7' });
    await assert.rejects(look(), { code: 'KMS_THROTTLED', retryAfterMs: 7000 });
  });

  it('that breaks off, and that speaks no HTTP, come to their codes', async () => {
    answer = (_, response) => void response.socket?.destroy();
    await assert.rejects(look(), { code: 'KMS_UNREACHABLE' });
    answer = (_, response) => void response.socket?.end('no HTTP\r\n\r\n');
    await assert.rejects(look(), { code: 'KMS_MISBEHAVED' });
  });

  it('leaves the reason to a caller who leaves', async () => {
    answer = () => undefined;
    const left = new Error('left');
    const controller = new AbortController();
    const manager = createVaultKeyManager({ VAULT_ADDR: url, VAULT_TOKEN: TOKEN });
    const asked = manager.describe({ provider: 'hashivault', uri: 'hashivault://demo' }, controller.signal);
    controller.abort(left);
    await assert.rejects(asked, left);
  });

  it('has more versions than are taken: the newest are', async () => {
    const versions = MAX_KEY_VERSIONS + 2;
    const keys = Object.fromEntries(Array.from({ length: versions }, (_, at) => [at + 1, { public_key: pem }]));
    answer = json(200, { data: { ...good, keys } });
    const { keys: taken, resource } = await look();
    assert.equal(taken.length, MAX_KEY_VERSIONS);
    assert.match(resource, new RegExp(`version ${versions}, .*, 3$`));
  });

  const UNUSABLE: readonly (readonly [data: object, code: string])[] = [
    [{ ...good, soft_deleted: true }, 'KEY_DISABLED'],
    [{ ...good, min_decryption_version: 2 }, 'KEY_DISABLED'],
    [{ ...good, keys: {} }, 'KEY_DISABLED'],
    [{ ...good, derived: true }, 'KEY_UNSUITABLE'],
    [{ ...good, type: 'ml-dsa' }, 'KEY_UNSUITABLE'],
    [{ ...good, type: '\u202e"\n' }, 'KEY_UNSUITABLE'],
  ];
  for (const [data, code] of UNUSABLE) {
    it(`that says ${JSON.stringify({ ...data, keys: '...' })} has a key that is ${code}`, async () => {
      answer = json(200, { data });
      const { state, keys } = await look();
      assert.deepEqual([state.kind === 'unusable' && state.code, keys], [code, []]);
      if (state.kind === 'unusable') assert.match(state.sentence, /^[\x20-\x7e]+$/);
    });
  }

  it('that gives signatures of another version, or none, is not believed', async () => {
    const manager = createVaultKeyManager({ VAULT_ADDR: url, VAULT_TOKEN: TOKEN });
    for (const signature of ['vault:v2:AAAA', 'vault:v1:A', 'AAAA', 7, undefined]) {
      answer = (request, response) =>
        json(200, { data: request.method === 'GET' ? good : { signature } })(request, response);
      const made = manager.sign({ provider: 'hashivault', uri: 'hashivault://demo' }, Buffer.from('x'), SIGNAL);
      await assert.rejects(made, { code: 'KMS_MISBEHAVED' });
    }
  });
});
