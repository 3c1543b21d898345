/**
 * The short names of `cosign attest --type` (cosign@3 `cmd/cosign/cli/options/predicate.go`; `cyclonedxxml` is one of
 * cosign 2), which are also those of `ClusterImagePolicy`. cosign has none for verification summaries: `vsa` is ours.
 */
const ALIASES: ReadonlyMap<string, readonly string[]> = new Map([
  ['custom', ['https://cosign.sigstore.dev/attestation/v1']],
  ['slsaprovenance', ['https://slsa.dev/provenance/v0.2']],
  ['slsaprovenance02', ['https://slsa.dev/provenance/v0.2']],
  ['slsaprovenance1', ['https://slsa.dev/provenance/v1']],
  ['spdx', ['https://spdx.dev/Document']],
  ['spdxjson', ['https://spdx.dev/Document']],
  ['cyclonedx', ['https://cyclonedx.org/bom']],
  ['cyclonedxxml', ['https://cyclonedx.org/bom']],
  ['link', ['https://in-toto.io/Link/v1']],
  ['vuln', ['https://cosign.sigstore.dev/attestation/vuln/v1']],
  ['openvex', ['https://openvex.dev/ns']],
  ['vsa', ['https://slsa.dev/verification_summary/v1']],
]);

/** A predicate type is a URI with its scheme (in-toto attestation v1 `TypeURI`): RFC 3986 characters only. */
const URI = /^[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]+$/;

/** Longer than any predicate type that is in use. */
const MAX_PREDICATE_TYPE_LENGTH = 1024;

/** The short names that `predicateTypesOf` knows, for sentences. */
export const PREDICATE_TYPE_ALIASES: readonly string[] = [...ALIASES.keys()];

/**
 * The full predicate types that a policy's `predicateType` stands for: a short name its own, a full URI itself.
 * `undefined` for anything else. Types are compared character by character: `slsaprovenance` is v0.2 and not v1.
 */
export function predicateTypesOf(text: string): readonly string[] | undefined {
  const types = ALIASES.get(text);
  if (types !== undefined) return types;
  return text.length <= MAX_PREDICATE_TYPE_LENGTH && URI.test(text) ? [text] : undefined;
}
