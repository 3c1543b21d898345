import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { send } from '../../../activities/http/transport.ts';
import { createRegistry } from '../../../activities/registry/registry.ts';
import type { Digest } from '../../../workflows/format/digest.ts';
import { type FakeRegistry, startFakeRegistry } from '../../support/registry.ts';
import { pushBlob, pushBundle, pushImage } from '../../support/registry-push.ts';
import { startScriptedServer } from '../../support/scripted-server.ts';
import { startTlsFront } from '../../support/tls-front.ts';

const auth = { kind: 'basic', username: 'ann', password: 'secret' } as const;
const signal = AbortSignal.timeout(60_000);
const content = Buffer.from('content');
let registryHost: FakeRegistry;
let other: FakeRegistry;
let blob: Digest;

before(async () => {
  registryHost = await startFakeRegistry({ auth });
  other = await startFakeRegistry();
  blob = await pushBlob({ address: other.address, repository: 'demo/app' }, content);
  registryHost.store.putBlob(content);
});
after(() => Promise.all([registryHost.stop(), other.stop()]));

const reader = () => createRegistry({ credentials: async () => ({ ...auth, kind: 'password' }) });
const name = () => ({ registry: registryHost.address, repository: 'demo/app' });

/** Redirects what was authorized, once; the 401 before it is the registry's own. */
function redirect(to: string, status = 307): void {
  let asked = 0;
  registryHost.setFault({ effect: { kind: 'redirect', to, status }, matches: () => asked++ === 1 });
}

for (const status of [301, 302, 303, 307, 308]) {
  test(`a ${status} to another host is followed without credentials`, async () => {
    redirect(`http://${other.address}/v2/demo/app/blobs/${blob}`, status);
    const before = other.requests.length;
    assert.deepEqual(await reader().getBlob(name(), blob, signal), content);
    assert.deepEqual(
      other.requests.slice(before).map(({ authorization }) => authorization),
      [undefined],
    );
    assert.match(registryHost.requests.at(-1)?.authorization ?? '', /^Basic /);
  });
}

test('a redirect on the same host keeps the credentials', async () => {
  redirect(`/v2/demo/app/blobs/${blob}?again`);
  assert.deepEqual(await reader().getBlob(name(), blob, signal), content);
  assert.match(registryHost.requests.at(-1)?.path ?? '', /again$/);
  assert.match(registryHost.requests.at(-1)?.authorization ?? '', /^Basic /);
});

test('credentials do not come back after a detour over another host', async () => {
  redirect(`http://${other.address}/detour`);
  other.setFault({
    effect: { kind: 'redirect', to: `http://${registryHost.address}/v2/demo/app/blobs/${blob}` },
    requests: 1,
  });
  const before = registryHost.requests.length;
  await reader()
    .getBlob(name(), blob, signal)
    .catch(() => undefined);
  const sent = registryHost.requests.slice(before).map(({ authorization }) => authorization !== undefined);
  assert.deepEqual(sent.slice(0, 3), [false, true, false]);
});

test('a challenge of another host gets no credentials', async () => {
  redirect(`http://${other.address}/v2/demo/app/blobs/${blob}`);
  other.setFault({ effect: { kind: 'status', status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } } });
  const before = other.requests.length;
  await assert.rejects(reader().getBlob(name(), blob, signal), { code: 'REGISTRY_UNAUTHORIZED' });
  other.setFault(undefined);
  assert.deepEqual(
    other.requests.slice(before).map(({ authorization }) => authorization),
    [undefined],
  );
});

test('content of another host is still checked by its digest', async () => {
  redirect(`http://${other.address}/v2/demo/app/blobs/${blob}`);
  other.setFault({ effect: { kind: 'replace', body: Buffer.from('other content') } });
  await assert.rejects(reader().getBlob(name(), blob, signal), { code: 'REGISTRY_MISBEHAVED' });
  other.setFault(undefined);
});

test('a redirect without end, to nowhere, to credentials or to a file is refused', async () => {
  for (const to of [
    `/v2/demo/app/blobs/${blob}`,
    'http://[',
    'http://ann:secret@127.0.0.1/',
    'file:///etc/passwd',
    '',
  ]) {
    let asked = 0;
    registryHost.setFault({ effect: { kind: 'redirect', to }, matches: () => asked++ > 0 });
    await assert.rejects(reader().getBlob(name(), blob, signal), (error: Error) => {
      assert.match(error.message, /redirect/);
      assert.doesNotMatch(error.message, /secret/);
      return 'code' in error && error.code === 'REGISTRY_MISBEHAVED';
    });
  }
  registryHost.setFault(undefined);
});

test('a redirect from https to http is refused', async (t) => {
  const { address: plain } = other;
  const origin = await startScriptedServer(t, () => ({
    status: 307,
    headers: { location: `http://${plain}/elsewhere` },
  }));
  const front = await startTlsFront(t, origin.address);
  const tls = { authorities: [front.authority], clients: [], skipVerify: false };
  const before = other.requests.length;
  const url = new URL(`https://${front.address}/x`);
  const request = { what: 'GET x', method: 'GET', url, endpoint: { tls }, redirects: 'all' } as const;
  await assert.rejects(send(request, signal), { code: 'REGISTRY_MISBEHAVED', retryable: false });
  assert.deepEqual(front.paths, ['/x']);
  assert.equal(other.requests.length, before);
});

test("GHCR's answer to the referrers API, a 303 to another host, means that there is none", async () => {
  const ghcr = await startFakeRegistry();
  const target = { address: ghcr.address, repository: 'demo/app' };
  const image = await pushImage(target, 'v1');
  await pushBundle(target, image, content);
  const effect = { kind: 'redirect', to: `http://${other.address}/referrers`, status: 303 } as const;
  ghcr.setFault({ effect });
  const before = other.requests.length;
  const place = { registry: ghcr.address, repository: 'demo/app' };
  assert.equal(await reader().listReferrers(place, image, signal), undefined);
  assert.equal(other.requests.length, before);
  await ghcr.stop();
});
