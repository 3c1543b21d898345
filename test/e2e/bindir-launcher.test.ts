import assert from 'node:assert/strict';
import { copyFile, mkdir, rm, symlink } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { encodeAllow, encodeRefusal, parseLauncherRequest } from '../../shim/launcher/protocol.ts';
import { type FakeDaemon, fakeDaemon, launcherBinary } from '../support/launcher.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { eventually, type GuardedNode, startGuardedNode } from './guarded-node.ts';

for (const version of ['current', 'previous'] as const) {
  describe(`the launcher in the ${version} containerd`, () => {
    const parts = new AsyncDisposableStack();
    let node: GuardedNode;
    let socket: string;
    /** Where containerd's environment says the shim is; a link, because a daemon of a test has a folder of its own. */
    let place: string;
    before(async () => {
      const folder = parts.use(await temporaryFolder());
      place = join(folder.path, 'shim');
      socket = join(place, 'launcher.sock');
      node = parts.adopt(await startGuardedNode({ version, extraEnv: { PORTCULLIS_SOCKET: socket } }), (it) =>
        it.stop(),
      );
      await mkdir(node.binDir);
      await copyFile(await launcherBinary(), join(node.binDir, 'portcullis-verifier'));
    });
    after(() => parts.disposeAsync());

    const putShim = async ({ directory }: FakeDaemon) => {
      await rm(place, { force: true });
      await symlink(directory, place);
    };
    const refuse = (reason: string) => (connection: Socket) => connection.end(encodeRefusal(reason));

    /** Both clients get the refusal of exactly this line, and nothing behind it. */
    const assertRefused = async (reason: string) => {
      const { name, digest } = node.image;
      const blocked =
        `image verifier bindir blocked pull of ${name} with digest ${digest} for reason: ` +
        `verifier portcullis-verifier rejected image (exit code 1): ${reason}`;
      const refusals = await Promise.all([node.pull(), node.pullByCri()]);
      const byCri = `Error: 2 UNKNOWN: failed to pull and unpack image "${name}": ${blocked}`;
      assert.deepEqual(refusals, [`ctr: ${blocked}`, byCri]);
    };

    it('carries what containerd says, and the allow back', async (t) => {
      const daemon = await fakeDaemon(t, (connection) => connection.end(encodeAllow()));
      await putShim(daemon);
      assert.equal(await node.pull(), undefined);
      assert.equal(await node.pullByCri(), undefined);
      const { name, digest } = node.image;
      assert.equal(daemon.requests.length, 2);
      for (const bytes of daemon.requests) {
        const { arguments: words, stdin } = parseLauncherRequest(bytes);
        const mediaType = 'application/vnd.oci.descriptor.v1+json';
        assert.deepEqual(words, ['-name', name, '-digest', digest, '-stdin-media-type', mediaType]);
        const line = new TextDecoder().decode(stdin);
        assert.match(line, new RegExp(`^{"mediaType":"[^"]+","digest":"${digest}","size":\\d+}\n$`));
      }
    });

    it('shows the reason of the shim whole, on one line', async (t) => {
      const reason = 'UNSIGNED: no signature for this image; ask whoever pushed it to sign it (decision 0199-ünï)';
      await putShim(await fakeDaemon(t, refuse(reason)));
      await assertRefused(reason);
    });

    it('shows the longest reason whole too', async (t) => {
      const reason = `LONG: ${'x'.repeat(4095 - 'LONG: '.length)}`;
      await putShim(await fakeDaemon(t, refuse(reason)));
      await assertRefused(reason);
    });

    it('answers each of many pulls at once', async (t) => {
      let count = 0;
      await putShim(await fakeDaemon(t, (connection) => refuse(`NUMBER: ${++count}.`)(connection)));
      const refusals = await Promise.all(Array.from({ length: 8 }, () => node.pullByCri()));
      const numbers = refusals.map((refusal) => /: NUMBER: (\d)\.$/.exec(refusal ?? '')?.[1] ?? refusal);
      assert.deepEqual(numbers.toSorted(), ['1', '2', '3', '4', '5', '6', '7', '8']);
    });

    it('says that the shim is absent', async () => {
      await rm(place, { force: true });
      await assertRefused(
        `SHIM_ABSENT: no portcullis shim at ${socket} (No such file or directory); systemctl start portcullis-shim, and pull again`,
      );
    });

    it('says that the shim broke off', async (t) => {
      await putShim(await fakeDaemon(t, (connection) => connection.end('allow')));
      await assertRefused(
        `SHIM_GARBLED: expected an answer from the shim at ${socket}, found 5 bytes that are none; ` +
          'pull again, and see journalctl -u portcullis-shim',
      );
    });

    it('is ended with a client that goes away, and the next pull is as any other', async (t) => {
      const asked = Promise.withResolvers<Socket>();
      await putShim(await fakeDaemon(t, asked.resolve));
      const client = await node.beginPull();
      const connection = await asked.promise;
      client.kill('SIGKILL');
      await eventually('a broken connection to the launcher', async () => {
        connection.write('x');
        return connection.destroyed ? true : undefined;
      });
      await putShim(await fakeDaemon(t, refuse('NEXT: as ever')));
      await assertRefused('NEXT: as ever');
    });

    // One line is enough: it takes as long as the real deadline does.
    if (version === 'previous') return;
    it('says that the shim is silent before containerd ends it at 10 s', async (t) => {
      await putShim(await fakeDaemon(t, () => {}));
      await assertRefused(
        `SHIM_SILENT: the shim at ${socket} gave no answer within 9200 ms; ` +
          'pull again, and see journalctl -u portcullis-shim',
      );
    });
  });
}
