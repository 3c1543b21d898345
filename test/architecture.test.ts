import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { REASON_OUTCOME } from '../workflows/verdict/reason.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const ROOMS = ['workflows', 'activities', 'shim', 'infra', 'test'] as const;
type Room = (typeof ROOMS)[number];

/** Which rooms a room may import from, besides itself. Imports point inwards. */
const MAY_IMPORT: Readonly<Record<Room, readonly Room[]>> = {
  workflows: [],
  activities: ['workflows'],
  shim: ['workflows'],
  infra: ['workflows', 'activities', 'shim', 'test'],
  test: ['workflows', 'activities', 'shim', 'infra'],
};

/** What the pure core may use of the world. */
const CORE_PACKAGES = new Set(['@temporalio/workflow', '@temporalio/common']);

/** Longer than this, a file is two files. */
const MAX_LINES = 300;

/** More than this, a folder of the product is two folders. */
const MAX_FILES = 20;
const PRODUCT = ['workflows', 'activities', 'shim', 'infra'] as const;

/** The flat files that Temporal calls. */
const ACTIVITIES: ReadonlySet<string> = new Set(
  [
    ...['check-key', 'check-transparency-log', 'describe-policy', 'fetch-signatures', 'resolve-descriptor'],
    ...['resolve-policy', 'sign-verdict', 'verify-signature'],
  ].map((name) => `activities/${name}.ts`),
);

/** So many files need a README of their own. */
const FULL_FOLDER = 12;

interface Source {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly string[];
}

const sources: readonly Source[] = ROOMS.flatMap(filesOf)
  .filter((path) => path.endsWith('.ts'))
  .map((path) => {
    const text = readFileSync(join(root, path), 'utf8');
    return { path, text, imports: importsOf(text) };
  });

describe('the rooms', () => {
  for (const room of ROOMS) {
    it(`${room} imports only from ${[room, ...MAY_IMPORT[room]].join(', ')}`, () => {
      const wrong = sources
        .filter((source) => roomOf(source.path) === room)
        .flatMap((source) => localImports(source).map((target) => ({ from: source.path, to: target })))
        .filter(({ to }) => roomOf(to) !== room && !MAY_IMPORT[room].some((allowed) => allowed === roomOf(to)));
      assert.deepEqual(wrong, []);
    });
  }

  it('infra takes from test only its support', () => {
    const wrong = sources
      .filter((source) => roomOf(source.path) === 'infra')
      .flatMap((source) => localImports(source).filter((target) => roomOf(target) === 'test'))
      .filter((target) => !target.startsWith('test/support/'));
    assert.deepEqual(wrong, []);
  });

  it('the core knows nothing of the world: no node module, no clock, no Buffer', () => {
    for (const { path, text, imports } of sources.filter((source) => roomOf(source.path) === 'workflows')) {
      const foreign = imports.filter((specifier) => !specifier.startsWith('.') && !CORE_PACKAGES.has(specifier));
      assert.deepEqual(foreign, [], path);
      assert.doesNotMatch(text, /\bBuffer\.|\bprocess\.|Date\.now\(|Math\.random\(|new Date\(\)/, path);
    }
  });

  it('only shim/backend/temporal.ts speaks to Temporal as a client', () => {
    const clients = sources.filter(
      (source) =>
        roomOf(source.path) !== 'test' &&
        source.imports.some((specifier) => specifier.startsWith('@temporalio/client')),
    );
    assert.deepEqual(
      clients.map((source) => source.path),
      ['shim/backend/temporal.ts'],
    );
  });

  it('folders beside each other import each other in one direction at most', () => {
    const product = sources.filter((source) => PRODUCT.some((room) => room === roomOf(source.path)));
    const arrows = new Set(product.flatMap((source) => localImports(source).flatMap((to) => arrowOf(source.path, to))));
    const mutual = [...arrows].filter((arrow) => arrows.has(arrow.split(' ').toReversed().join(' ')));
    assert.deepEqual(mutual, []);
  });

  it('no activity imports another activity', () => {
    const wrong = sources
      .filter(({ path }) => ACTIVITIES.has(path))
      .flatMap((source) => localImports(source).filter((to) => ACTIVITIES.has(to)));
    assert.deepEqual(wrong, []);
  });

  it('nothing is imported in a circle', () => {
    const graph = new Map(sources.map((source) => [source.path, localImports(source)]));
    assert.deepEqual(findCycle(graph), undefined);
  });
});

describe('the files', () => {
  it(`have at most ${MAX_LINES} lines`, () => {
    const long = sources
      .filter((source) => source.text.split('\n').length > MAX_LINES + 1)
      .map((source) => source.path);
    assert.deepEqual(long, []);
  });

  it(`are at most ${MAX_FILES} in a folder of the product`, () => {
    const crowded = PRODUCT.flatMap((room) => [room, ...roomsIn(room)]).filter(
      (folder) => filesIn(folder).length > MAX_FILES,
    );
    assert.deepEqual(crowded, []);
  });

  it('are described at the door of their folder, or of the one around it where they are few', () => {
    const silent = ROOMS.flatMap((room) => [room, ...roomsIn(room)])
      .filter((folder) => filesIn(folder).length > 4)
      .filter((folder) => {
        const own = existsSync(join(root, folder, 'README.md'));
        return !own && (filesIn(folder).length >= FULL_FOLDER || !isDescribedAround(folder));
      });
    assert.deepEqual(silent, []);
  });
});

describe('the reasons', () => {
  it('are documented, all of them and no others', () => {
    const readme = readFileSync(join(root, 'workflows/README.md'), 'utf8');
    const documented = [...readme.matchAll(/^\| `([A-Z_]+)` +\| (\w+) +\|/gm)].map(([, code, outcome]) => [
      code,
      outcome,
    ]);
    assert.deepEqual(Object.fromEntries(documented), { ...REASON_OUTCOME });
  });
});

function filesOf(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((file) => join(folder, file))
    .filter((file) => statSync(join(root, file)).isFile());
}

function roomsIn(room: Room): readonly string[] {
  const folders = new Set(filesOf(room).map(dirname));
  folders.delete(room);
  return [...folders];
}

/** Files of a folder itself that hold a part of it. */
function filesIn(folder: string): readonly string[] {
  return filesOf(folder).filter((file) => dirname(file) === folder && !/\.(?:json|md)$/.test(file));
}

/** Whether the nearest README above names the folder. */
function isDescribedAround(folder: string): boolean {
  let above = dirname(folder);
  while (!existsSync(join(root, above, 'README.md'))) above = dirname(above);
  return readFileSync(join(root, above, 'README.md'), 'utf8').includes(`${relative(above, folder)}/`);
}

/** `a b` for an import from one folder into another that is beside it, or below one beside it. */
function arrowOf(from: string, to: string): readonly string[] {
  const [own, other] = [dirname(from).split('/'), dirname(to).split('/')];
  const shared = own.findIndex((name, depth) => name !== other[depth]);
  if (shared === -1 || other[shared] === undefined) return [];
  return [[own, other].map((names) => names.slice(0, shared + 1).join('/')).join(' ')];
}

function roomOf(path: string): string {
  return path.split('/')[0] ?? '';
}

function importsOf(text: string): readonly string[] {
  const statements = text.matchAll(
    /^\s*(?:import|export)\s[^;]*?from\s+'([^']+)'|^import\s+'([^']+)'|import\('([^']+)'\)/gm,
  );
  return [...statements].flatMap(([, from, bare, dynamic]) => from ?? bare ?? dynamic ?? []);
}

function localImports(source: Source): readonly string[] {
  return source.imports
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => relative(root, normalize(join(root, dirname(source.path), specifier))));
}

function findCycle(graph: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): readonly string[] | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return undefined;
    for (const target of graph.get(path) ?? []) {
      const cycle = visit(target, [...trail, path]);
      if (cycle !== undefined) return cycle;
    }
    done.add(path);
    return undefined;
  };
  return [...graph.keys()].map((path) => visit(path, [])).find((cycle) => cycle !== undefined);
}
