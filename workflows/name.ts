import { type Digest, parseDigest } from './digest.ts';

/** A parsed image name: the mutable string that containerd was asked for. */
export interface ImageName {
  /** Host and optional port, for example `docker.io` or `127.0.0.1:5000`. */
  readonly registry: string;
  /** Path below the registry, for example `library/alpine`. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** Longest name that is looked at; the distribution grammar allows 255 for the repository and 128 for the tag. */
const MAX_NAME_LENGTH = 512;

const HOST =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$/;
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const DOCKER_HUB = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);

/**
 * Parses an image name as `distribution/reference` does (grammar in its `reference.go`): the first component is
 * the registry when it holds a dot or a colon or is `localhost`; otherwise the name is Docker Hub's, where a
 * single component lives under `library/`. Answers `undefined` for anything outside the grammar.
 */
export function parseName(text: string): ImageName | undefined {
  if (text.length === 0 || text.length > MAX_NAME_LENGTH) return undefined;
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : parseDigest(text.slice(at + 1));
  if (at >= 0 && digest === undefined) return undefined;
  const [path, tag] = splitTag(at < 0 ? text : text.slice(0, at));
  if (tag !== undefined && !TAG.test(tag)) return undefined;
  const place = splitRegistry(path);
  if (!HOST.test(place.registry) || place.repository.length > 255) return undefined;
  if (!place.repository.split('/').every((component) => COMPONENT.test(component))) return undefined;
  return { ...place, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

function splitTag(text: string): readonly [string, string | undefined] {
  const colon = text.lastIndexOf(':');
  if (colon <= text.lastIndexOf('/')) return [text, undefined];
  return [text.slice(0, colon), text.slice(colon + 1)];
}

function splitRegistry(path: string): { readonly registry: string; readonly repository: string } {
  const slash = path.indexOf('/');
  const first = slash < 0 ? '' : path.slice(0, slash);
  const isHost = first.includes('.') || first.includes(':') || first === 'localhost';
  const registry = isHost ? first : 'docker.io';
  const repository = isHost ? path.slice(slash + 1) : path;
  if (!DOCKER_HUB.has(registry)) return { registry, repository };
  return { registry: 'docker.io', repository: repository.includes('/') ? repository : `library/${repository}` };
}

/** `registry/repository`, without tag and digest. */
export function repositoryOf(name: ImageName): string {
  return `${name.registry}/${name.repository}`;
}

/** The name in one spelling, without its digest: `registry/repository[:tag]`. */
export function nameWithoutDigest(name: ImageName): string {
  return name.tag === undefined ? repositoryOf(name) : `${repositoryOf(name)}:${name.tag}`;
}
