import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { moduleFolder } from '../../../infra/tools/go-module.ts';
import { sameMinor } from '../../../infra/tools/installed.ts';
import { PARTS, partOf, TOOL_NAMES } from '../../../infra/tools/pins.ts';
import { requirementsFile } from '../../../infra/tools/python-package.ts';

describe('the pins', () => {
  for (const part of PARTS) {
    if (part.source.kind !== 'go') continue;
    const { module } = part.source;
    it(`of ${part.name}: go.mod requires the version in the table, and go.sum knows its content`, async () => {
      const goMod = await readFile(join(moduleFolder(part), 'go.mod'), 'utf8');
      const required = goMod.split('\n').find((line) => /^\s*(require )?\S/.test(line) && line.includes(`${module} v`));
      assert.match(required ?? '', new RegExp(`${module} v${part.version.replaceAll('.', '\\.')}( |$)`));
      assert.doesNotMatch(goMod, /^replace/m);
      const goSum = await readFile(join(moduleFolder(part), 'go.sum'), 'utf8');
      assert.ok(goSum.includes(`${module} v${part.version} h1:`));
    });
  }

  for (const part of PARTS) {
    if (part.source.kind !== 'python') continue;
    it(`of ${part.name}: its version and all it imports are pinned by hash`, async () => {
      const entries = (await readFile(requirementsFile(part), 'utf8')).replaceAll('\\\n', '').trim().split('\n');
      const pins = entries.filter((line) => !line.startsWith('#'));
      assert.ok(pins.some((line) => line.startsWith(`${part.name}==${part.version} `)));
      for (const pin of pins) assert.match(pin, /^[a-z0-9-]+==[0-9][0-9a-z.]*(\s+--hash=sha256:[0-9a-f]{64})+$/);
    });
  }

  it('give every program one name', () => {
    assert.equal(new Set(TOOL_NAMES).size, TOOL_NAMES.length);
    for (const name of TOOL_NAMES) assert.equal(partOf(name).program.name, name);
  });
});

describe('a program on PATH', () => {
  for (const [printed, wanted, suits] of [
    ['temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)', '1.9.1', true],
    ['temporal version 1.9.4 (Server 1.32.1, UI 2.54.1)', '1.9.1', true],
    ['temporal version 1.10.1 (Server 1.9.1)', '1.9.1', false],
    ['containerd github.com/containerd/containerd/v2 v2.4.0 abc', '2.4.2', true],
    ['containerd containerd.io 1.7.24 88bf19b2', '2.4.2', false],
    ['GitVersion:    v3.1.1\nGitCommit: 1\nGoVersion: go1.26.8', '3.1.3', true],
    ['GitVersion:    devel', '3.1.3', false],
    ['/opt/registry-3.1.2/bin/registry github.com/distribution/distribution v2.8.3', '3.1.2', false],
    ['/opt/3.1.2/registry github.com/distribution/distribution/v3 v3.1.4+unknown', '3.1.2', true],
    ['GitVersion:    devel\nGoVersion: go3.1.8', '3.1.3', false],
    ['containerd github.com/containerd/containerd 2.4.2~ds1 2.4.2~ds1-1+deb13u1', '2.4.2', true],
    ['12.4.2', '2.4.2', false],
    ['', '2.4.2', false],
  ] as const) {
    it(`${suits ? 'suits' : 'does not suit'} when ${wanted} is wanted and it prints ${JSON.stringify(printed)}`, () => {
      assert.equal(sameMinor(printed, wanted), suits);
    });
  }
});
