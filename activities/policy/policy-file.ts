import { isMap } from 'yaml';
import { readTrustRoot } from '../trust/document/read-trust-root.ts';
import type { TrustRootDocument } from '../trust/trust-root-document.ts';
import { offsetOf, readYaml, type YamlFile } from '../yaml/document.ts';
import { type Field, readText, reject } from '../yaml/field.ts';
import { quote } from '../yaml/problem.ts';
import { type PolicyDocument, readClusterImagePolicy } from './cluster-image-policy/cluster-image-policy.ts';
import { type RequirementDocument, readAuthorityRequirement } from './own-documents/authority-requirement.ts';
import { type OfflineUseDocument, readOfflineUse } from './own-documents/offline-use.ts';
import { type RevocationDocument, readRevocation } from './own-documents/revocation.ts';

/** One file with what stands in it. */
export interface PolicyFile extends YamlFile {
  readonly path: string;
  readonly documents: readonly FileDocument[];
}

export type FileDocument =
  | { readonly kind: 'policy'; readonly policy: PolicyDocument }
  | { readonly kind: 'requirement'; readonly requirement: RequirementDocument }
  | { readonly kind: 'offline-use'; readonly offlineUse: OfflineUseDocument }
  | { readonly kind: 'revocation'; readonly revocation: RevocationDocument }
  | {
      readonly kind: 'trust-root';
      /** `undefined` for a broken one, which is missed under its name by nobody else. */
      readonly trustRoot: TrustRootDocument | undefined;
      readonly name: string;
      readonly field: Field;
    };

const KINDS = 'ClusterImagePolicy, TrustRoot, AuthorityRequirement, OfflineUse or Revocation';

/** Reads the bytes of one file; what is wrong with it is among its problems. */
export function readPolicyFile(path: string, bytes: Uint8Array): PolicyFile {
  const yaml = readYaml(path, bytes);
  const documents = yaml.roots.flatMap(({ node, offset }) =>
    readDocument({ path: '', node, offset, report: yaml.report }),
  );
  if (yaml.roots.length === 0 && yaml.problems.length === 0) {
    yaml.report(0, '', 'expected a ClusterImagePolicy, found nothing; remove the file or write a policy into it');
  }
  return { ...yaml, path, documents };
}

function readDocument(field: Field): readonly FileDocument[] {
  if (!isMap(field.node)) {
    reject(field, `expected a mapping with apiVersion and kind, found another value; write a ${KINDS}`);
    return [];
  }
  const kindNode = field.node.get('kind', true);
  const kindField: Field = { ...field, path: 'kind', node: kindNode, offset: offsetOf(kindNode) || field.offset };
  if (kindField.node === undefined) {
    reject(kindField, `expected a value, found no such field; write ${KINDS}`);
    return [];
  }
  const kind = readText(kindField);
  switch (kind) {
    case undefined:
      return [];
    case 'ClusterImagePolicy': {
      const policy = readClusterImagePolicy(field);
      return policy === undefined ? [] : [{ kind: 'policy', policy }];
    }
    case 'AuthorityRequirement': {
      const requirement = readAuthorityRequirement(field);
      return requirement === undefined ? [] : [{ kind: 'requirement', requirement }];
    }
    case 'OfflineUse': {
      const offlineUse = readOfflineUse(field);
      return offlineUse === undefined ? [] : [{ kind: 'offline-use', offlineUse }];
    }
    case 'Revocation': {
      const revocation = readRevocation(field);
      return revocation === undefined ? [] : [{ kind: 'revocation', revocation }];
    }
    case 'TrustRoot': {
      const trustRoot = readTrustRoot(field);
      const name: unknown = trustRoot?.name ?? field.node.getIn(['metadata', 'name']);
      return typeof name === 'string' ? [{ kind: 'trust-root', trustRoot, name, field }] : [];
    }
    default:
      reject(kindField, `expected ${KINDS}, found ${quote(kind)}; keep other kinds elsewhere`);
      return [];
  }
}
