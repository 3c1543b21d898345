import { homedir } from 'node:os';
import { join } from 'node:path';
import { EvidenceError } from '../../evidence-error.ts';
import { MAX_DOCKER_CONFIG_BYTES } from '../../limits.ts';
import { readConfiguredFile } from '../endpoints/configured-file.ts';
import { anonymous, type CredentialSource } from './credential.ts';
import { askHelper } from './credential-helper.ts';
import { type DockerConfig, parseDockerConfig, placeOf } from './docker-config.ts';

/** The docker configuration of this process: `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`. */
export function dockerConfigPath(): string {
  const folder = process.env['DOCKER_CONFIG'];
  return join(folder === undefined || folder === '' ? join(homedir(), '.docker') : folder, 'config.json');
}

/**
 * Where podman, skopeo and buildah keep credentials (containers-auth.json(5)): `$REGISTRY_AUTH_FILE`, else in `$XDG_RUNTIME_DIR` or, where
 * there is none, in `/run/containers/UID`.
 */
export function containersAuthPath(): string {
  const { REGISTRY_AUTH_FILE: named = '', XDG_RUNTIME_DIR: runtime = '' } = process.env;
  if (named !== '') return named;
  return join(runtime === '' ? `/run/containers/${process.getuid?.() ?? 0}` : join(runtime, 'containers'), 'auth.json');
}

/**
 * Credentials as docker keeps them. The file is read for each question, so that a new login counts at once; without
 * a file everything is anonymous. Throws REGISTRY_UNAUTHORIZED for a file that can't be read.
 */
export function dockerCredentials(path: string = dockerConfigPath()): CredentialSource {
  return async (host, signal, repository) => {
    const config = await readConfig(path);
    if (config === undefined) return { kind: 'anonymous' };
    const place = placeOf(config, host, repository);
    if (place.helper === undefined) return place.credential;
    const answer = await askHelper(place.helper, place.server, signal);
    return answer.kind === 'anonymous' ? place.credential : answer;
  };
}

/**
 * Credentials of a pull secret; hosts it has none for are asked of `otherwise`. Only `auths` count: a helper is a
 * program, and a document in the policy directory doesn't choose which programs run. Keys match by host.
 */
export function credentialsFrom(config: DockerConfig, otherwise: CredentialSource = anonymous): CredentialSource {
  return async (host, signal, repository, anew) => {
    const { credential } = placeOf(config, host, repository);
    return credential.kind === 'anonymous' ? otherwise(host, signal, repository, anew) : credential;
  };
}

async function readConfig(path: string): Promise<DockerConfig | undefined> {
  const text = await readConfiguredFile({ path, mostBytes: MAX_DOCKER_CONFIG_BYTES, unusable });
  if (text === undefined) return undefined;
  const config = parseDockerConfig(text);
  if (typeof config === 'string') throw unusable(path, config);
  return config;
}

function unusable(path: string, found: string): EvidenceError {
  return new EvidenceError('REGISTRY_UNAUTHORIZED', `credentials in ${path}: ${found}`, { retryable: false });
}
