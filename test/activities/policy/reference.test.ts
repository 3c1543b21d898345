import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { FIELD_TABLES } from '../../../activities/policy/field-tables.ts';
import { loadPolicyDirectory } from '../../../activities/policy/load.ts';
import { formatProblem } from '../../../activities/policy/policy-problem.ts';
import { policyDirectory, policyYaml, publicKeyPem } from './policy-directory.ts';

const README = await readFile(new URL('../../../workflows/policy/README.md', import.meta.url), 'utf8');

const KNOWN = Object.entries(FIELD_TABLES).flatMap(([parent, table]) =>
  Object.entries(table).map(([name, rule]) => ({
    path: parent === '' ? name : `${parent}.${name}`,
    read: rule === 'read',
  })),
);

function documented(): ReadonlyMap<string, string> {
  const rows = README.matchAll(/^\| `([^`]+)` *\| (\w+) *\|/gm);
  return new Map(Array.from(rows, ([, path = '', what = '']) => [path, what]));
}

test('the example loads', async (t) => {
  const yaml = /```yaml\n([\s\S]*?)```/.exec(README)?.[1] ?? assert.fail('no example');
  const directory = await policyDirectory(t, { 'demo.yaml': yaml, 'secrets/release-2027.pub': publicKeyPem() });
  const load = await loadPolicyDirectory(directory);
  if (!load.ok) assert.fail(load.problems.map(formatProblem).join('\n'));
  assert.deepEqual(
    load.set.policies[0]?.authorities.map(({ name }) => name),
    ['release', 'authority-1'],
  );
});

test('every field is documented as what it is', () => {
  const rows = documented();
  const parents = new Set(['metadata', 'spec']);
  for (const { path, read } of KNOWN) {
    if (!parents.has(path)) assert.equal(rows.get(path) === 'refused', !read, path);
    if (!parents.has(path)) assert.ok(rows.has(path), `${path} is not documented`);
  }
  for (const path of rows.keys()) {
    assert.ok(
      KNOWN.some((known) => known.path === path),
      `${path} is documented and not known`,
    );
  }
});

test('every field that is documented as refused is refused', async (t) => {
  const refused = [...documented()].filter(([, what]) => what === 'refused').map(([path]) => path);
  assert.ok(refused.length > 15);
  for (const path of refused) {
    const at = path.replaceAll('[]', '[0]');
    const directory = await policyDirectory(t, { 'a.yaml': withField(path), 'secrets/release.pub': publicKeyPem() });
    const load = await loadPolicyDirectory(directory);
    assert.deepEqual(load.ok ? [] : load.problems.map(({ field }) => field), [at], path);
    assert.match(load.ok ? '' : (load.problems[0]?.message ?? ''), /^expected no such field, found "\w+": .+; .+$/);
  }
});

/** A policy that is right but for one field more. */
function withField(path: string): string {
  const name = path.split('.').at(-1) ?? '';
  const parent = path.slice(0, -name.length);
  const places: Readonly<Record<string, readonly [string, string]>> = {
    '': ['spec:', `${name}: {}\nspec:`],
    'metadata.': ['  name: demo', `  name: demo\n  ${name}: x`],
    'spec.': ['spec:', `spec:\n  ${name}: {}`],
    'spec.authorities[].': ['    - key:', `    - ${name}: {}\n      key:`],
    'spec.authorities[].key.': ['      key:', `      key:\n        ${name}: x`],
  };
  const [from, to] = places[parent] ?? assert.fail(path);
  const yaml = policyYaml().replace('    - key:', '    - name: a\n      key:');
  return parent === 'spec.authorities[].' ? policyYaml().replace(from, to) : yaml.replace(from, to);
}
