import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type GuardedNode, startGuardedNode } from './guarded-node.ts';

/** Keeps what the verifier was given, each in a file of its own. */
const RECORD = [
  `printf '%s\\0' "$@" > $DIR/arguments`,
  'cat > $DIR/stdin',
  'cat /proc/$$/environ > $DIR/environment',
  'cat /proc/$$/stat > $DIR/process',
  'pwd > $DIR/folder',
  'id -u > $DIR/user',
].join('\n');

for (const version of ['current', 'previous'] as const) {
  describe(`what the ${version} containerd and a verifier tell each other`, () => {
    let node: GuardedNode;
    before(async () => {
      node = await startGuardedNode({ version, extraEnv: { SECRET_OF_CONTAINERD: 'inherited too' } });
      await node.guardBy({ recorder: RECORD });
      assert.equal(await node.pull(), undefined);
    });
    after(() => node.stop());

    const recorded = (what: string) => readFile(join(node.dir, what), 'utf8');

    it('gives name, digest and media type as arguments, each value behind its single-dashed name', async () => {
      assert.deepEqual((await recorded('arguments')).split('\0'), [
        ...['-name', node.image.name],
        ...['-digest', node.image.digest],
        ...['-stdin-media-type', 'application/vnd.oci.descriptor.v1+json'],
        '',
      ]);
    });

    it('gives the descriptor as one line of JSON with three fields, then the end of the stream', async () => {
      const manifest = await fetch(`http://${node.registry}/v2/app/manifests/v1`);
      const { length: size } = await manifest.text();
      const mediaType = 'application/vnd.oci.image.manifest.v1+json';
      assert.equal(await recorded('stdin'), `${JSON.stringify({ mediaType, digest: node.image.digest, size })}\n`);
    });

    it('passes its whole environment on, its own folders put first in the paths', async () => {
      const environment = new Map(
        (await recorded('environment')).split('\0').map((line) => {
          const at = line.indexOf('=');
          return [line.slice(0, at), line.slice(at + 1)];
        }),
      );
      assert.equal(environment.get('SECRET_OF_CONTAINERD'), 'inherited too');
      assert.equal(environment.get('HOME'), process.env['HOME']);
      assert.equal(environment.get('PATH'), `${node.dir}/opt/bin:${process.env['PATH']}`);
      assert.equal(environment.get('LD_LIBRARY_PATH')?.split(':')[0], `${node.dir}/opt/lib`);
    });

    it('runs it as its own user in its own folder, in a process group of its own without a terminal', async () => {
      assert.equal(await recorded('user'), '0\n');
      assert.equal(await recorded('folder'), `${node.dir}\n`);
      const [pid, , , parent, group, session, terminal] = (await recorded('process')).split(' ');
      assert.equal(parent, String(node.containerd.pid));
      assert.equal(group, pid);
      assert.equal(session, String(node.containerd.pid));
      assert.equal(terminal, '0');
    });

    it('refuses by any exit code but 0, with file, code and standard output', async () => {
      const { name, digest } = node.image;
      for (const code of [1, 2, 13, 126, 127, 128, 137, 143, 254, 255]) {
        await node.guardBy({ guard: `echo because; exit ${code}` });
        const blocked =
          `image verifier bindir blocked pull of ${name} with digest ${digest} for reason: ` +
          `verifier guard rejected image (exit code ${code}): because`;
        assert.equal(await node.pull(), `ctr: ${blocked}`);
        const byCri = `Error: 2 UNKNOWN: failed to pull and unpack image "${name}": ${blocked}`;
        assert.equal(await node.pullByCri(), byCri);
      }
    });

    it('refuses when a signal ended it, and what it had printed is lost', async () => {
      for (const [signal, word] of [
        ['TERM', 'terminated'],
        ['KILL', 'killed'],
        ['SEGV', 'segmentation fault'],
      ]) {
        await node.guardBy({ guard: `echo because; kill -${signal} $$` });
        const refusal = (await node.pull()) ?? '';
        assert.match(
          refusal,
          /blocking pull of .* image verifier bindir returned error: failed to call verifier guard/,
        );
        assert.match(refusal, new RegExp(`waiting on command to exit: signal: ${word}`));
        assert.doesNotMatch(refusal, /because/);
      }
    });

    it('asks for an image that is on the node already, by ctr and by CRI', async () => {
      await node.guardBy({ guard: 'exit 0' });
      assert.equal(await node.pull(), undefined);
      assert.equal(await node.pullByCri(), undefined);
      await node.guardBy({ guard: 'echo not any more; exit 1' });
      assert.match((await node.pull()) ?? '', /: not any more$/);
      assert.match((await node.pullByCri()) ?? '', /: not any more$/);
    });

    it('logs refusals, but neither allowed pulls nor standard error as long as it does not debug', async () => {
      await node.guardBy({ guard: 'echo said on stderr >&2; echo loud refusal; exit 1' });
      assert.match((await node.pull()) ?? '', /: loud refusal$/);
      await node.guardBy({ guard: 'echo said on stderr >&2; echo quiet consent; exit 0' });
      assert.equal(await node.pull(), undefined);
      const log = await readFile(node.containerd.log, 'utf8');
      assert.match(log, /level=warning msg="Image verifier blocked pull".*loud refusal/);
      assert.doesNotMatch(log, /said on stderr|quiet consent/);
    });
  });
}
