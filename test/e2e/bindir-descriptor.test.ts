import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer, type OutgoingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { listenOnLoopback } from '../support/loopback.ts';
import { eventually, type GuardedNode, startGuardedNode } from './guarded-node.ts';

const SHA256 = `sha256:${'a'.repeat(64)}`;
const SHA512 = `sha512:${'b'.repeat(128)}`;
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

/** The largest manifest that containerd 2.3 and 2.4 take, in bytes (core/remotes/docker, MaxManifestSize). */
const MOST = 4 * 1048 * 1048;

/** More than a pipe holds. */
const LARGE = 128 * 1024;

/** What a registry can make a verifier read: the descriptor comes from the headers of one HEAD request. */
describe('a descriptor from a registry that makes it up', () => {
  let node: GuardedNode;
  let registry: Awaited<ReturnType<typeof startLiar>>;
  before(async () => {
    node = await startGuardedNode();
    registry = await startLiar();
    await node.guardBy({ guard: 'cat > $DIR/stdin; echo "digest $4"; exit 1' });
  });
  after(async () => {
    await registry.stop();
    await node.stop();
  });

  const assertHandedOver = async (name: string, expected: { mediaType: string; digest: string; size: number }) => {
    assert.match((await node.pull(name)) ?? '', new RegExp(`: digest ${expected.digest}$`));
    const [line, rest, more] = (await readFile(join(node.dir, 'stdin'), 'utf8')).split('\n');
    assert.deepEqual(JSON.parse(line ?? ''), expected);
    assert.deepEqual([rest, more], ['', undefined]);
  };
  const claims = (mediaType: string, digest: string, size: number) =>
    registry.claim({ 'content-type': mediaType, 'docker-content-digest': digest, 'content-length': size });

  it('has the digest, the media type and the size that the headers say', async () => {
    claims('application/x-made-up; charset=utf-8', SHA256, MOST);
    const expected = { mediaType: 'application/x-made-up', digest: SHA256, size: MOST };
    await assertHandedOver(`${registry.address}/app:v1`, expected);
  });

  it('has for a name with a digest that digest, but media type and size of the headers still', async () => {
    claims('application/x-made-up', SHA512, 1);
    const expected = { mediaType: 'application/x-made-up', digest: SHA256, size: 1 };
    await assertHandedOver(`${registry.address}/app@${SHA256}`, expected);
    await assertHandedOver(`${registry.address}/app:v1@${SHA256}`, expected);
  });

  it('may have a digest of another algorithm', async () => {
    claims(MANIFEST, SHA512, 400);
    await assertHandedOver(`${registry.address}/app:v1`, { mediaType: MANIFEST, digest: SHA512, size: 400 });
  });

  it('stays one line of JSON whatever characters the media type has', async () => {
    const mediaType = '"}\\n{"digest":"x"} <&> \t $(id) \u{e9}';
    claims(mediaType, SHA256, 400);
    // The byte of é alone is no UTF-8.
    const expected = { mediaType: mediaType.replace('\u{e9}', '\u{fffd}'), digest: SHA256, size: 400 };
    await assertHandedOver(`${registry.address}/app:v1`, expected);
  });

  it('may be larger than a pipe', async () => {
    const mediaType = 'x'.repeat(LARGE);
    claims(mediaType, SHA256, 400);
    await assertHandedOver(`${registry.address}/app:v1`, { mediaType, digest: SHA256, size: 400 });
  });

  it('need not be read, even when it is larger than a pipe', async () => {
    claims('x'.repeat(LARGE), SHA256, 400);
    await node.guardBy({ a: 'exit 0', b: 'exec < /dev/null; echo unread; exit 1' });
    assert.match((await node.pull(`${registry.address}/app:v1`)) ?? '', /verifier b rejected image .*: unread$/);
    const warning = /level=warning msg="failed to completely write descriptor to stdin"/;
    await eventually('a warning about the unread descriptor', async () =>
      warning.test(await readFile(node.containerd.log, 'utf8')) ? true : undefined,
    );
  });

  it('is not handed over when it is of too large a manifest: the pull fails before', async () => {
    await node.guardBy({ guard: 'echo asked; exit 1' });
    claims(MANIFEST, SHA256, MOST + 1);
    assert.match(
      (await node.pull(`${registry.address}/app:v1`)) ?? '',
      /failed to resolve image: rejecting 4393217 byte/,
    );
  });

  it('is not handed over when its digest is none: the pull fails before', async () => {
    await node.guardBy({ guard: 'echo asked; exit 1' });
    for (const digest of ['sha256:short', 'md5:d41d8cd98f00b204e9800998ecf8427e', `sha256:${'A'.repeat(64)}`, '../x']) {
      claims(MANIFEST, digest, 400);
      assert.match((await node.pull(`${registry.address}/app:v1`)) ?? '', /in header not a valid digest/);
    }
  });
});

/** A registry that says yes to every HEAD request, with the headers that were claimed last. */
async function startLiar() {
  let headers: OutgoingHttpHeaders = {};
  const server = createServer((_, response) => response.writeHead(200, headers).end());
  const address = await listenOnLoopback(server);
  return {
    address,
    claim: (claimed: OutgoingHttpHeaders) => {
      headers = claimed;
    },
    stop: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}
