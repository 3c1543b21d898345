import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, chown, lstat, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { listenPrivately, type PrivateListener } from '../../../shim/host/socket.ts';
import { leaveDeadSocket } from '../../support/launcher-socket.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** How often these listeners look for their socket, in ms. */
const LOOK_MS = 30;

/** A listener that says `hello`, what it warned about, and how to wait until it did. */
interface Served extends AsyncDisposable {
  readonly path: string;
  readonly listener: PrivateListener;
  readonly warnings: readonly string[];
  warned(pattern: RegExp): Promise<void>;
}

async function serve(folder: string, name = 'run/some.sock'): Promise<Served> {
  const path = join(folder, name);
  const warnings: string[] = [];
  const listener = await listenPrivately(path, {
    lookMs: LOOK_MS,
    accept: (connection) => connection.on('error', () => {}).end('hello'),
    log: { warn: (message, fields) => warnings.push(`${message} ${JSON.stringify(fields)}`) },
  });
  return {
    ...{ path, listener, warnings },
    async warned(pattern) {
      while (!warnings.some((warning) => pattern.test(warning))) await delay(20);
    },
    [Symbol.asyncDispose]: () => listener.close(),
  };
}

async function greeting(path: string): Promise<string> {
  return Buffer.concat(await connect(path).toArray()).toString();
}

const REMADE = /^the socket was removed or replaced, and was made anew/;

describe('a private socket', () => {
  it('has mode 0600, leaves nothing beside it, and goes when it is closed', async () => {
    await using folder = await temporaryFolder();
    const { path, listener } = await serve(folder.path);
    assert.equal((await lstat(path)).mode & 0o777, 0o600);
    assert.equal(await greeting(path), 'hello');
    await listener.close();
    await assert.rejects(lstat(path), /ENOENT/);
    await rm(dirname(path), { recursive: true });
  });

  it('takes the place of a dead one, with a path as long as a path may be', async () => {
    await using folder = await temporaryFolder();
    const name = 'x'.repeat(107 - folder.path.length - 1);
    await leaveDeadSocket(join(folder.path, name));
    await using served = await serve(folder.path, name);
    assert.equal(await greeting(served.path), 'hello');
  });

  it('is not made in a directory of somebody else', async () => {
    await using folder = await temporaryFolder();
    await mkdir(join(folder.path, 'run'));
    await chown(join(folder.path, 'run'), 65_534, 65_534);
    await assert.rejects(serve(folder.path), /expected .*run to be owned by 0 or 0, found 65534; chown root /);
  });

  it('leaves what is not its own when it is closed', async () => {
    await using folder = await temporaryFolder();
    const { path, listener } = await serve(folder.path);
    await rm(path);
    await writeFile(path, 'precious');
    await listener.close();
    assert.equal(await readFile(path, 'utf8'), 'precious');
  });
});

describe('a private socket is made anew', () => {
  it('when it was removed, while who is connected stays so', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'some.sock');
    const connections: Socket[] = [];
    await using listener = asDisposable(
      await listenPrivately(path, { lookMs: LOOK_MS, accept: (connection) => void connections.push(connection) }),
    );
    const client = connect(path);
    await once(client, 'connect');
    await rm(path);
    await appears(path);
    connections[0]?.end('still here');
    assert.equal(Buffer.concat(await client.toArray()).toString(), 'still here');
    const next = connect(path);
    await once(next, 'connect');
    while (connections.length < 2) await delay(5);
    connections[1]?.end('and the next');
    assert.equal(Buffer.concat(await next.toArray()).toString(), 'and the next');
    assert.ok(listener);
  });

  it('when its directory was removed, and again', async () => {
    await using folder = await temporaryFolder();
    await using served = await serve(folder.path);
    for (const _ of [1, 2]) {
      await rm(dirname(served.path), { recursive: true });
      await appears(served.path);
      assert.equal(await greeting(served.path), 'hello');
      assert.equal((await lstat(dirname(served.path))).mode & 0o022, 0);
    }
    assert.ok(
      served.warnings.every((warning) => REMADE.test(warning)),
      served.warnings.join('\n'),
    );
  });

  it('when it was replaced by a dead one', async () => {
    await using folder = await temporaryFolder();
    await using served = await serve(folder.path);
    // In one step, or it would be made anew in between.
    await leaveDeadSocket(join(folder.path, 'dead.sock'));
    await rename(join(folder.path, 'dead.sock'), served.path);
    await served.warned(REMADE);
    assert.equal(await greeting(served.path), 'hello');
  });

  it('when the file in its place is gone, and not before; each problem is said once', async () => {
    await using folder = await temporaryFolder();
    await using served = await serve(folder.path);
    const aside = join(folder.path, 'aside.sock');
    await rename(served.path, aside);
    await writeFile(served.path, 'precious');
    await served.warned(/cannot be made anew .*expected a socket or nothing, found something else/);
    assert.equal(await greeting(aside), 'hello', 'the one before is served');
    await delay(5 * LOOK_MS);
    assert.equal(served.warnings.length, 1, served.warnings.join('\n'));
    assert.equal(await readFile(served.path, 'utf8'), 'precious');
    await rm(served.path);
    await appears(served.path);
    assert.equal(await greeting(served.path), 'hello');
  });

  it('never while another program answers there', async () => {
    await using folder = await temporaryFolder();
    await using served = await serve(folder.path);
    const aside = join(folder.path, 'other.sock');
    const other = createServer((connection) => connection.on('error', () => {}).end('other')).listen(aside);
    await once(other, 'listening');
    await rename(aside, served.path);
    await served.warned(/another program is listening there/);
    assert.equal(await greeting(served.path), 'other');
    await served.listener.close();
    assert.equal(await greeting(served.path), 'other', 'closing ours leaves it alone');
    other.close();
  });

  it('never in a directory that others write to', async () => {
    await using folder = await temporaryFolder();
    await using served = await serve(folder.path);
    const directory = dirname(served.path);
    await rm(directory, { recursive: true });
    await mkdir(directory);
    await chmod(directory, 0o777);
    await served.warned(/expected .*run to be writable by its owner only, found mode 777; chmod go-w/);
    await assert.rejects(lstat(served.path), /ENOENT/);
    await chmod(directory, 0o755);
    await appears(served.path);
    assert.equal(await greeting(served.path), 'hello');
  });
});

function asDisposable(listener: PrivateListener): AsyncDisposable {
  return { [Symbol.asyncDispose]: () => listener.close() };
}

/** Waits until there is a socket at the path: it may be there before the test looks. */
async function appears(path: string): Promise<void> {
  while (
    !(await lstat(path).then(
      (found) => found.isSocket(),
      () => false,
    ))
  )
    await delay(10);
}
