import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pushImage, pushIndex } from '../support/image.ts';
import { type GuardedNode, startGuardedNode } from './guarded-node.ts';

describe('the name and the digest that a verifier is asked about', () => {
  let node: GuardedNode;
  before(async () => {
    node = await startGuardedNode();
    await node.guardBy({ guard: 'echo "asked: $2 $4"; exit 1' });
  });
  after(() => node.stop());

  const askedBy = async (refusal: Promise<string | undefined>) => /asked: (.*)$/.exec((await refusal) ?? '')?.[1];

  it('are by ctr the name as it was typed', async () => {
    const { name, digest } = node.image;
    assert.equal(await askedBy(node.pull()), `${name} ${digest}`);
    assert.equal(await askedBy(node.pull(`${name}@${digest}`)), `${name}@${digest} ${digest}`);
    const untagged = `${node.registry}/app@${digest}`;
    assert.equal(await askedBy(node.pull(untagged)), `${untagged} ${digest}`);
  });

  it('are by CRI the name without its tag when it has a digest', async () => {
    const { name, digest } = node.image;
    assert.equal(await askedBy(node.pullByCri()), `${name} ${digest}`);
    assert.equal(await askedBy(node.pullByCri(`${name}@${digest}`)), `${node.registry}/app@${digest} ${digest}`);
  });

  it('are by CRI the name with the tag latest when it has none, which ctr does not resolve', async () => {
    const { digest } = await pushImage({ registry: node.registry, repository: 'app', tag: 'latest' });
    const bare = `${node.registry}/app`;
    assert.equal(await askedBy(node.pullByCri(bare)), `${bare}:latest ${digest}`);
    assert.equal(await node.pull(bare), 'ctr: failed to resolve image: object required');
  });

  it('are not those of the mirror that answered, and short names are written out by CRI', async () => {
    const { digest } = await pushImage({ registry: node.registry, repository: 'library/app', tag: 'latest' });
    const hosts = join(node.dir, 'hosts', 'docker.io');
    await mkdir(hosts);
    const mirror = `[host."http://${node.registry}"]\n  capabilities = ["pull", "resolve"]\n`;
    await writeFile(join(hosts, 'hosts.toml'), `server = "http://127.0.0.1:1"\n${mirror}`);
    assert.equal(await askedBy(node.pullByCri('app')), `docker.io/library/app:latest ${digest}`);
  });

  it('name the index when the image is behind one', async () => {
    const { name, digest, manifest } = await pushIndex({ registry: node.registry, repository: 'many', tag: 'v1' });
    assert.equal(await askedBy(node.pull(name)), `${name} ${digest}`);
    assert.equal(await askedBy(node.pullByCri(name)), `${name} ${digest}`);
    const direct = `${node.registry}/many@${manifest}`;
    assert.equal(await askedBy(node.pullByCri(direct)), `${direct} ${manifest}`);
  });

  it('are for a moved tag those of now', async () => {
    const moved = { registry: node.registry, repository: 'moving', tag: 'v1' };
    const first = await pushImage({ ...moved, files: { a: 'first' } });
    assert.equal(await askedBy(node.pull(first.name)), `${first.name} ${first.digest}`);
    const second = await pushImage({ ...moved, files: { a: 'second' } });
    assert.notEqual(second.digest, first.digest);
    assert.equal(await askedBy(node.pull(first.name)), `${first.name} ${second.digest}`);
  });
});
