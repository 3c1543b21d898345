import { type Digest, parseDigest } from './digest.ts';
import { canonicalRegistry, isRegistry } from './registry-host.ts';

/**
 * A parsed image name: the mutable string that containerd was asked for. Everything that can be spelt in several ways is
 * in its one spelling, so that two names are of one place when their texts are equal.
 */
export interface ImageName {
  /** Host and optional port as `canonicalRegistry` writes them, for example `docker.io` or `127.0.0.1:5000`. */
  readonly registry: string;
  /** Path below the registry, for example `library/alpine`. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** Longest name that is looked at; the distribution grammar allows 255 for the repository and 128 for the tag. */
const MAX_NAME_LENGTH = 512;

const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

/**
 * Parses an image name as `distribution/reference` does (grammar in its `reference.go`): the first component is
 * the registry when it holds a dot or a colon or is `localhost`; otherwise the name is Docker Hub's, where a
 * single component lives under `library/`. Answers `undefined` for anything outside the grammar, and for a registry
 * that has no canonical spelling.
 */
export function parseName(text: string): ImageName | undefined {
  if (text.length === 0 || text.length > MAX_NAME_LENGTH) return undefined;
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : parseDigest(text.slice(at + 1));
  if (at >= 0 && digest === undefined) return undefined;
  const [path, tag] = splitTag(at < 0 ? text : text.slice(0, at));
  if (tag !== undefined && !TAG.test(tag)) return undefined;
  const place = splitRegistry(path);
  if (place === undefined || place.repository.length > 255) return undefined;
  if (!place.repository.split('/').every((component) => COMPONENT.test(component))) return undefined;
  return { ...place, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

/**
 * Parses a name as containerd resolves it, where the first component is always the host (`pkg/reference`): what
 * {@link parseName} takes for a short name of Docker Hub is of another registry there, and is refused.
 */
export function parseFullName(text: string): ImageName | undefined {
  const [first = '', ...rest] = text.split('/');
  return rest.length > 0 && isRegistry(first) ? parseName(text) : undefined;
}

function splitTag(text: string): readonly [string, string | undefined] {
  const colon = text.lastIndexOf(':');
  if (colon <= text.lastIndexOf('/')) return [text, undefined];
  return [text.slice(0, colon), text.slice(colon + 1)];
}

function splitRegistry(path: string): { readonly registry: string; readonly repository: string } | undefined {
  const slash = path.indexOf('/');
  const first = slash < 0 ? '' : path.slice(0, slash);
  const registry = isRegistry(first) ? canonicalRegistry(first) : 'docker.io';
  const repository = isRegistry(first) ? path.slice(slash + 1) : path;
  if (registry === undefined) return undefined;
  if (registry !== 'docker.io' || repository.includes('/')) return { registry, repository };
  return { registry, repository: `library/${repository}` };
}

/** `registry/repository`, without tag and digest. */
export function repositoryOf(name: ImageName): string {
  return `${name.registry}/${name.repository}`;
}

/** The name in one spelling, without its digest: `registry/repository[:tag]`. */
export function nameWithoutDigest(name: ImageName): string {
  return name.tag === undefined ? repositoryOf(name) : `${repositoryOf(name)}:${name.tag}`;
}

/** The name in one spelling, with its digest where it has one: `registry/repository[:tag][@digest]`. */
export function nameWithDigest(name: ImageName): string {
  return name.digest === undefined ? nameWithoutDigest(name) : `${nameWithoutDigest(name)}@${name.digest}`;
}

/** The name by which a node asks about what a person typed: CRI adds `latest` where there is neither tag nor digest. */
export function pulledName(name: ImageName): string {
  const isBare = name.tag === undefined && name.digest === undefined;
  return isBare ? `${repositoryOf(name)}:latest` : nameWithoutDigest(name);
}
