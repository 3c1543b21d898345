export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

/** Every manifest form that containerd and cosign write (OCI image spec v1.1; Docker image manifest v2, schema 2). */
export const MANIFEST_ACCEPT = [
  OCI_INDEX,
  OCI_MANIFEST,
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

/** The payload layer of a cosign 2 signature. */
export const SIMPLE_SIGNING = 'application/vnd.dev.cosign.simplesigning.v1+json';

/** A layer of cosign's attestation tag, or of its attestation as a referrer (cosign v3 `WriteAttestationsReferrer`). */
export const DSSE_ENVELOPE = 'application/vnd.dsse.envelope.v1+json';

/** What a referrer says to be that holds in-toto statements, signed or not. */
export const IN_TOTO = 'application/vnd.in-toto+json';

/** The config of a cosign 2 signature that was attached as a referrer (`--registry-referrers-mode=oci-1-1`). */
export const COSIGN_SIGNATURE_ARTEFACT = 'application/vnd.dev.cosign.artifact.sig.v1+json';

/** The config of an artefact that has none; some registries list it as the artifact type. */
const OCI_EMPTY = 'application/vnd.oci.empty.v1+json';

/** What a list of referrers is filtered by when the whole of it is too long: the types under which evidence is written today. */
export const EVIDENCE_ARTIFACT_TYPES = [
  'application/vnd.dev.sigstore.bundle.v0.3+json',
  COSIGN_SIGNATURE_ARTEFACT,
  IN_TOTO,
] as const;

const BUNDLE = /^application\/vnd\.dev\.sigstore\.bundle(?:\.v0\.\d{1,3})?\+json$/;

/** The media type of a `Content-Type` value: lower case, without parameters. */
export function essence(contentType: string): string {
  return (contentType.split(';')[0] ?? '').trim().toLowerCase();
}

/** Tells a Sigstore bundle, in the old spelling (`...bundle+json;version=0.N`) and in the new one (`...bundle.v0.N+json`). */
export function isBundleType(mediaType: string): boolean {
  return BUNDLE.test(essence(mediaType));
}

/** Types of signatures and envelopes, in this version or another, read here or not. */
const EVIDENCE =
  /^application\/vnd\.(?:dev\.sigstore\.bundle|dev\.cosign\.(?:simplesigning|artifact\.sig)|dsse\.envelope|cncf\.notary\.signature)\b/;

/** Whether a media type says of itself that it is evidence; of a later version, say, that is not read here. */
export function isEvidenceType(mediaType: string): boolean {
  return EVIDENCE.test(essence(mediaType));
}

/** Whether an artifact type says of itself that it is something else than evidence: a hint, which decides about an order. */
export function isOtherKind(artifactType: string): boolean {
  if (artifactType === '' || artifactType === OCI_EMPTY) return false;
  return artifactType !== IN_TOTO && !isEvidenceType(artifactType);
}
