import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { loadSync, type MessageTypeDefinition, type PackageDefinition } from '@grpc/proto-loader';
import { PROTO_FOLDER } from './folder.ts';

/** The wire types of `portcullis.v1`, as proto-loader reads and writes them with the options below. */
export interface WireDescriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}
export interface WireVerifyRequest {
  readonly name: string;
  readonly descriptor: WireDescriptor | null;
}
export interface WireSigner {
  readonly authority: string;
  readonly identity: string;
  readonly evidence: string;
  readonly predicateType: string;
}
export interface WireVerdict {
  readonly decisionId: string;
  readonly name: string;
  readonly digest: string;
  readonly outcome: 'OUTCOME_UNSPECIFIED' | 'ALLOW' | 'DENY' | 'INCONCLUSIVE';
  readonly reasons: readonly { readonly code: string; readonly sentence: string }[];
  readonly policyRevision: string;
  readonly trustRevision: string;
  readonly signers: readonly WireSigner[];
  readonly workflowId: string;
  readonly decidedAt: string;
  readonly expiresAt: string;
}
export interface WireCheck {
  readonly title: string;
  readonly state: 'STATE_UNSPECIFIED' | 'RUNNING' | 'RETRYING' | 'PASSED' | 'FAILED';
  readonly detail: string;
}
export interface WireProgress {
  readonly checks: readonly WireCheck[];
  readonly verdict: WireVerdict | null;
}
export interface WireCanaryImage {
  readonly name: string;
  readonly digest: string;
}
export interface WireCanaryImages {
  readonly bad: WireCanaryImage | null;
  readonly good: WireCanaryImage | null;
  readonly nonce: string;
}
export interface WireCanaryEvent {
  readonly images: WireCanaryImages | null;
  readonly asked: string;
}
export interface WireDescription {
  readonly metrics: string;
  readonly missing: readonly { readonly name: string; readonly problem: string }[];
}
export interface WireStatus {
  readonly code: number;
  readonly message: string;
  readonly details: readonly { readonly type_url: string; readonly value: Uint8Array }[];
}

/** All of `portcullis.v1`, for the server and for reflection. */
export const schema: PackageDefinition = loadSync(
  ['portcullis/v1/verifier.proto', 'portcullis/v1/node.proto', 'google/rpc/status.proto'],
  { includeDirs: [PROTO_FOLDER], enums: String, longs: Number, defaults: true },
);

/** The service `portcullis.v1.Verifier`. */
export const verifierService = service('portcullis.v1.Verifier');
export const VERIFY_METHOD = method(verifierService, 'Verify');
export const WATCH_METHOD = method(verifierService, 'Watch');
export const RESOLVE_METHOD = method(verifierService, 'Resolve');

/** The service `portcullis.v1.Node`. */
export const nodeService = service('portcullis.v1.Node');
export const DESCRIBE_METHOD = method(nodeService, 'Describe');
export const OPEN_CANARY_METHOD = method(nodeService, 'OpenCanary');

/** The messages that travel inside a status. */
export const verdictMessage = message<WireVerdict>('portcullis.v1.Verdict');
export const statusMessage = message<WireStatus>('google.rpc.Status');

function service(name: string): ServiceDefinition {
  const found = schema[name];
  // proto-loader tells services from messages by the `format` field that only messages have
  if (found === undefined || 'format' in found) throw new Error(`${name} is no service of the schema`);
  return found as ServiceDefinition;
}

function method(of: ServiceDefinition, name: string): MethodDefinition<unknown, unknown> {
  const found = of[name];
  if (found === undefined) throw new Error(`${name} is no method of the schema`);
  return found;
}

/** Reads and writes one message type on the wire. */
export interface Message<T> {
  readonly typeUrl: string;
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): T;
}

function message<T extends object>(name: string): Message<T> {
  const found = schema[name];
  if (found === undefined || !('format' in found) || !('serialize' in found))
    throw new Error(`${name} is no message of the schema`);
  // the schema has no types of its own: T is what verifier.proto says, with the options above
  const type = found as unknown as MessageTypeDefinition<T, T>;
  return {
    typeUrl: `type.googleapis.com/${name}`,
    encode: (value) => type.serialize(value),
    decode: (bytes) => type.deserialize(Buffer.from(bytes)),
  };
}
