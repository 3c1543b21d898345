import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type GuardedNode, startGuardedNode } from './guarded-node.ts';

const REFUSING = 'echo it ran; exit 1';

describe('what is in bin_dir', () => {
  let node: GuardedNode;
  before(async () => {
    node = await startGuardedNode();
  });
  after(() => node.stop());
  beforeEach(() => node.guardBy({}));

  const entry = (name: string) => join(node.binDir, name);

  /** By both clients, for the same reason: the entry cannot be started, and that is an error and no judgement. */
  const assertBlocks = async (name: string, cause: string) => {
    const expected = new RegExp(
      `blocking pull of .*: image verifier bindir returned error: failed to call verifier ${name} \\(runtime .*\\): ` +
        `starting process: fork/exec ${entry(name)}: ${cause}$`,
    );
    assert.match((await node.pull()) ?? '', expected);
    assert.match((await node.pullByCri()) ?? '', expected);
  };

  describe('blocks every pull when it is', () => {
    it('a hidden file that is not executable', async () => {
      await writeFile(entry('.gitkeep'), '');
      await assertBlocks('.gitkeep', 'permission denied');
    });

    it('a script that is not executable', async () => {
      await node.guardBy({ guard: 'exit 0' });
      await chmod(entry('guard'), 0o644);
      await assertBlocks('guard', 'permission denied');
    });

    it('a folder', async () => {
      await mkdir(entry('..data'));
      await assertBlocks('..data', 'permission denied');
    });

    it('a link to nothing', async () => {
      await symlink(join(node.dir, 'nothing'), entry('guard'));
      await assertBlocks('guard', 'no such file or directory');
    });

    it('a link to itself', async () => {
      await symlink('guard', entry('guard'));
      await assertBlocks('guard', 'too many levels of symbolic links');
    });

    it('a script without a first line that names its interpreter', async () => {
      await writeFile(entry('guard'), 'exit 0\n', { mode: 0o755 });
      await assertBlocks('guard', 'exec format error');
    });

    it('a script whose interpreter is missing', async () => {
      await writeFile(entry('guard'), '#!/no/such/interpreter\nexit 0\n', { mode: 0o755 });
      await assertBlocks('guard', 'no such file or directory');
    });

    it('an empty executable', async () => {
      await writeFile(entry('guard'), '', { mode: 0o755 });
      await assertBlocks('guard', 'exec format error');
    });

    it('an executable that was cut short', async () => {
      const whole = await readFile('/bin/true');
      await writeFile(entry('guard'), whole.subarray(0, 40), { mode: 0o755 });
      await assertBlocks('guard', 'exec format error');
    });

    it('such a thing beside a verifier that agrees', async () => {
      await node.guardBy({ 'a-guard': 'exit 0' });
      await writeFile(entry('b-rest'), '', { mode: 0o644 });
      await assertBlocks('b-rest', 'permission denied');
    });
  });

  describe('runs when it is', () => {
    it('a link to an executable elsewhere', async () => {
      await node.guardBy({ guard: REFUSING });
      await rename(entry('guard'), join(node.dir, 'moved'));
      await symlink(join(node.dir, 'moved'), entry('link'));
      assert.match((await node.pull()) ?? '', /verifier link rejected image \(exit code 1\): it ran$/);
    });

    it('a hidden executable', async () => {
      await node.guardBy({ '.hidden': REFUSING });
      assert.match((await node.pull()) ?? '', /verifier \.hidden rejected image \(exit code 1\): it ran$/);
    });

    it('new since the last pull, without a restart', async () => {
      assert.equal(await node.pull(), undefined);
      await node.guardBy({ 'odd name, %s': REFUSING });
      assert.match((await node.pull()) ?? '', /verifier odd name, %s rejected image \(exit code 1\): it ran$/);
    });
  });

  // These are open gates. They are asserted so that a containerd that closes one of them is noticed.
  describe('allows every pull when', () => {
    const assertAllowed = async () => {
      assert.equal(await node.pull(), undefined);
      assert.equal(await node.pullByCri(), undefined);
    };

    it('there is nothing', async () => {
      await assertAllowed();
    });

    it('the folder is missing', async () => {
      await rm(node.binDir, { recursive: true });
      await assertAllowed();
    });

    it('the folder is a link to nothing', async () => {
      await rm(node.binDir, { recursive: true });
      await symlink(join(node.dir, 'nothing'), node.binDir);
      await assertAllowed();
      await rm(node.binDir);
    });
  });

  it('blocks every pull when the folder is a file', async () => {
    await rm(node.binDir, { recursive: true });
    await writeFile(node.binDir, '');
    const expected = new RegExp(`failed to list directory contents: .*${node.binDir}: not a directory$`);
    assert.match((await node.pull()) ?? '', expected);
    assert.match((await node.pullByCri()) ?? '', expected);
    await rm(node.binDir);
  });
});
