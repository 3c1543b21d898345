import { createHash } from 'node:crypto';
import { copyFile, cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { buildLauncher } from '../shim/launcher/build.ts';
import { packageVersion } from './version.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const { resolve } = createRequire(import.meta.url);

/** The program of a release: its own Node, found beside it whatever the machine has, and by no other path than its own. */
const PROGRAM = `#!/bin/sh
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
heap=
# a node has better uses for its memory than garbage that is collected late
if [ "\${1:-}" = shim ]; then heap="--max-semi-space-size=1 --max-old-space-size=128"; fi
# shellcheck disable=SC2086 # two words, or none
exec "$here/bin/node" $heap "$here/lib/node/portcullis.mjs" "$@"
`;

/** What the node's program reads at run time, by its path in the checkout. */
const READ_AT_RUN_TIME = ['shim/proto', 'shim/README.md', 'shim/launcher/README.md', 'workflows/README.md'];

/** What packages read at run time, from where `../../proto` of their own file is in a release. */
const PROTO_OF_PACKAGES = [
  join(dirname(resolve('grpc-health-check')), '../../proto'),
  join(dirname(resolve('@grpc/reflection')), '../proto'),
];

/**
 * Makes what goes to a node, in a new folder: `portcullis`, its Node, the launcher, the unit, and the pages that it prints from.
 * It needs nothing else on the node but a Linux of the same architecture. Answers its version: that of the package, and a hash over the content.
 */
export async function makeRelease(folder: string): Promise<string> {
  const draft = `${folder}.${process.pid}.new`;
  await rm(draft, { recursive: true, force: true });
  for (const name of ['bin', 'lib/node', 'proto', 'systemd']) await mkdir(join(draft, name), { recursive: true });
  await Promise.all([
    bundle(join(draft, 'lib/node')),
    buildLauncher(join(draft, 'portcullis-verifier')),
    copyFile(process.execPath, join(draft, 'bin/node')),
    writeFile(join(draft, 'portcullis'), PROGRAM, { mode: 0o755 }),
    ...['portcullis-shim.service', 'portcullis.conf'].map((name) =>
      copyFile(join(root, 'infra/systemd', name), join(draft, 'systemd', name)),
    ),
    ...['LICENSE', ...READ_AT_RUN_TIME].map((path) =>
      cp(join(root, path), join(draft, path), { recursive: true, filter: (from) => !from.endsWith('.ts') }),
    ),
    ...PROTO_OF_PACKAGES.map((proto) => cp(proto, join(draft, 'proto'), { recursive: true })),
  ]);
  const version = await versionOf(draft);
  await writeFile(join(draft, 'VERSION'), `${version}\n`);
  await rm(folder, { recursive: true, force: true });
  await rename(draft, folder);
  return version;
}

/** Packages that are no ES modules ask for these. */
const COMMONJS = [
  "import { createRequire } from 'node:module';",
  'const require = createRequire(import.meta.url), __dirname = import.meta.dirname, __filename = import.meta.filename;',
].join('\n');

async function bundle(outdir: string): Promise<void> {
  await build({
    entryPoints: { portcullis: join(root, 'infra/node.ts') },
    outdir,
    outExtension: { '.js': '.mjs' },
    banner: { js: COMMONJS },
    ...{ bundle: true, splitting: true, format: 'esm', platform: 'node', target: 'node24', logLevel: 'warning' },
  });
}

async function versionOf(folder: string): Promise<string> {
  const hash = createHash('sha256');
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const path of files
    .filter((one) => one.isFile())
    .map((one) => join(one.parentPath, one.name))
    .toSorted()) {
    hash.update(path.slice(folder.length)).update(await readFile(path));
  }
  return `${packageVersion()}-${hash.digest('hex').slice(0, 12)}`;
}
