import { fileURLToPath } from 'node:url';
import { lastLine, type Outcome, runCommand } from './command.ts';
import type { Part, Source } from './pins.ts';

type GoSource = Extract<Source, { kind: 'go' }>;

/** A proxy that has not named one known version by then does not answer; builds themselves have no limit. */
const PROBE_MS = 10_000;

/** `go.mod` names the toolchain it needs, and a `go` from this one on fetches that by itself. */
const OLDEST_GO = { major: 1, minor: 21 };

/**
 * Without cgo no C compiler is needed and the programs are static. A workspace around the checkout is not ours. Some
 * distributions of Go set GOTOOLCHAIN to `local`, with which a module that needs a newer Go cannot be built.
 */
const ENVIRONMENT = { CGO_ENABLED: '0', GOWORK: 'off', GOTOOLCHAIN: 'auto' };

/**
 * Questions to the `go` of this machine and to the proxy. Asked within the module, an older `go` would first fetch the
 * toolchain that `go.mod` names, which has no limit. Nothing of the answers is built, so no checksum is needed.
 */
const PROBE = {
  cwd: '/',
  env: { GOWORK: 'off', GOTOOLCHAIN: 'local', GOFLAGS: '', GOSUMDB: 'off' },
  timeoutMs: PROBE_MS,
};

/** Where the modules are that pin the Go parts, one folder a part. */
export function moduleFolder(part: Part): string {
  return fileURLToPath(new URL(`go/${part.name}`, import.meta.url));
}

/**
 * Builds the programs of a Go part into `folder`, from sources that match the `go.sum` beside its `go.mod`. Throws one
 * sentence when Go is missing or too old, or the sources cannot be had.
 */
export async function buildGoModule(part: Part, source: GoSource, folder: string): Promise<void> {
  const cwd = moduleFolder(part);
  requireGo(part, await runCommand('go', ['env', 'GOVERSION'], PROBE));
  const known = await runCommand('go', ['list', '-m', `${source.module}@v${part.version}`], PROBE);
  if (known.code !== 0) {
    throw new Error(
      `${part.name} ${part.version} is built from Go module ${source.module}, which could not be downloaded: ` +
        `${lastLine(known.output) || `no answer within ${PROBE_MS / 1000} s`}; ` +
        `check the network and the settings GOPROXY and HTTPS_PROXY${hint(part)}`,
    );
  }
  // The trailing separator makes -o a folder, which gets one program for each tool of the module.
  const flags = ['-mod=readonly', '-trimpath', '-ldflags=-s -w', '-o', `${folder}/`];
  const build = await runCommand('go', ['build', ...flags, source.target], { cwd, env: ENVIRONMENT });
  if (build.code !== 0) {
    throw new Error(`${part.name} ${part.version} could not be built: ${lastLine(build.output)}${hint(part)}`);
  }
}

function hint(part: Part): string {
  const programs = part.programs.filter((program) => program.asks !== undefined).map((program) => program.file);
  return programs.length === 0 ? '' : `, or put ${programs.join(' and ')} ${part.version} on PATH`;
}

function requireGo(part: Part, version: Outcome): void {
  const wanted = `${part.name} ${part.version} is built with Go ${OLDEST_GO.major}.${OLDEST_GO.minor} or newer`;
  if (version.missing) throw new Error(`${wanted}, and go is missing: apt-get install golang`);
  const [, major, minor] = /^go(\d+)\.(\d+)/.exec(version.printed.trim()) ?? [];
  const suits = Number(major) === OLDEST_GO.major && Number(minor) >= OLDEST_GO.minor;
  if (version.code !== 0 || !suits) {
    throw new Error(`${wanted}, found ${lastLine(version.output)}: install a newer one from https://go.dev/dl`);
  }
}
