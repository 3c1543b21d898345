import { isRecord } from '../../workflows/format/record.ts';
import { type DockerConfig, parseDockerConfig } from '../registry/credentials/docker-config.ts';

export type PullSecretResult =
  | { readonly ok: true; readonly config: DockerConfig }
  | { readonly ok: false; readonly problem: string };

const KEY = '.dockerconfigjson';

/**
 * Parses a registry credential: a docker `config.json`, or a Kubernetes secret of the type `dockerconfigjson` that holds
 * one. Helpers are refused: a directory of policies says which programs run nowhere. `problem` completes "the credential
 * is not usable: ", and holds nothing of its content.
 */
export function parsePullSecret(text: string): PullSecretResult {
  const config = parseDockerConfig(unwrap(text) ?? text);
  if (typeof config === 'string') {
    return problem('expected a docker config.json with auths, base64 of user:password for each registry');
  }
  if (config.credsStore !== undefined || config.credHelpers.size > 0) {
    return problem('it names a credential helper, and a pull secret has to hold the credential itself');
  }
  if (config.auths.size === 0) return problem('it holds no credential: expected auths with a registry');
  return { ok: true, config };
}

/** The docker config inside a Kubernetes secret, or `undefined` for anything else. */
function unwrap(text: string): string | undefined {
  try {
    const json: unknown = JSON.parse(text);
    if (!isRecord(json)) return undefined;
    const { data, stringData } = json;
    if (isRecord(stringData) && typeof stringData[KEY] === 'string') return stringData[KEY];
    const encoded = isRecord(data) ? data[KEY] : json[KEY];
    return typeof encoded === 'string' ? Buffer.from(encoded, 'base64').toString('utf8') : undefined;
  } catch {
    // No JSON: the parser of docker configs says so.
    return undefined;
  }
}

function problem(text: string): PullSecretResult {
  return { ok: false, problem: text };
}
