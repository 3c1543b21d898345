import type { Answer } from '../registry-fault.ts';
import { type ApiRequest, bytes, Json, json, problem, type Service } from './api.ts';
import { canonicalJson } from './canonical-json.ts';
import { toPem } from './der.ts';
import { sha256 } from './key-pair.ts';
import type { LogRecord, RekorV1 } from './rekor-v1.ts';

const ENTRIES = '/api/v1/log/entries';

/** The API of Rekor 1 (its `openapi.yaml`) over whatever log is shown at the moment. Signatures of proposed entries are believed. */
export function rekorV1Service(shown: () => RekorV1, clock: () => Date): Service {
  return (request) => {
    const log = shown();
    const { path, query } = request;
    switch (`${request.method} ${path}`) {
      case 'GET /api/v1/log':
        return json(logInfo(log));
      case 'GET /api/v1/log/publicKey':
        return bytes(toPem(log.key.spki, 'PUBLIC KEY'), 'application/x-pem-file');
      case 'GET /api/v1/log/proof':
        return consistency(log, Number(query.get('firstSize') ?? 1), Number(query.get('lastSize')));
      case `GET ${ENTRIES}`:
        return oneEntry(log, log.records[Number(query.get('logIndex')) - log.offset]);
      case `POST ${ENTRIES}`:
        return addEntry(log, request, clock());
      case `POST ${ENTRIES}/retrieve`:
        return json(retrieve(log, Json.parse(request.body)).map((record) => entryAnswer(log, record)));
      default:
        return path.startsWith(`${ENTRIES}/`) ? oneEntry(log, byUuid(log, path.slice(ENTRIES.length + 1))) : undefined;
    }
  };
}

function logInfo(log: RekorV1) {
  return {
    inactiveShards: [],
    rootHash: log.tree.root().toString('hex'),
    signedTreeHead: log.checkpoint(),
    treeID: log.treeId,
    treeSize: log.tree.size,
  };
}

function consistency(log: RekorV1, first: number, last: number): Answer {
  if (!(first >= 1 && first <= last && last <= log.tree.size))
    return problem(400, 'firstSize or lastSize is out of range');
  const hashes = log.tree.consistency(first, last).map((hash) => hash.toString('hex'));
  return json({ rootHash: log.tree.root(last).toString('hex'), hashes });
}

function oneEntry(log: RekorV1, record: LogRecord | undefined): Answer {
  return record === undefined ? problem(404, 'entry not found') : json(entryAnswer(log, record));
}

function addEntry(log: RekorV1, request: ApiRequest, now: Date): Answer {
  const body = canonicalBody(Json.parse(request.body));
  const known = findBody(log, body);
  const record = known ?? log.append(body, now);
  const uuid = log.uuid(record);
  // cosign needs both headers; without them it stops with a nil pointer.
  const headers = { etag: uuid, location: `${ENTRIES}/${uuid}` };
  if (known !== undefined)
    return problem(409, `an equivalent entry already exists in the transparency log with UUID ${uuid}`, headers);
  return json(entryAnswer(log, record), 201, headers);
}

function retrieve(log: RekorV1, query: Json): readonly LogRecord[] {
  const found = [
    ...query
      .at('entryUUIDs')
      .list()
      .map((uuid) => byUuid(log, uuid.text())),
    ...query
      .at('logIndexes')
      .list()
      .map((index) => log.records[Number(index.value) - log.offset]),
    ...query
      .at('entries')
      .list()
      .map((proposed) => findBody(log, canonicalBody(proposed))),
  ];
  return found.filter((record) => record !== undefined);
}

function byUuid(log: RekorV1, uuid: string): LogRecord | undefined {
  return log.records.find((record) => log.uuid(record).endsWith(uuid.slice(-64)));
}

function findBody(log: RekorV1, body: Buffer): LogRecord | undefined {
  return log.records.find((record) => record.body.equals(body));
}

function entryAnswer(log: RekorV1, record: LogRecord) {
  const { integratedTime, logIndex, logId } = log.promised(record);
  return {
    [log.uuid(record)]: {
      body: record.body.toString('base64'),
      integratedTime,
      logID: logId,
      logIndex,
      verification: {
        inclusionProof: {
          checkpoint: log.checkpoint(),
          hashes: log.tree.inclusion(record.index).map((hash) => hash.toString('hex')),
          logIndex: record.index,
          rootHash: log.tree.root().toString('hex'),
          treeSize: log.tree.size,
        },
        signedEntryTimestamp: log.promise(log.promised(record)),
      },
    },
  };
}

/** What Rekor makes of a proposed entry before it logs it. */
function canonicalBody(proposed: Json): Buffer {
  const [apiVersion, kind, spec] = [proposed.at('apiVersion').text(), proposed.at('kind').text(), proposed.at('spec')];
  return Buffer.from(canonicalJson({ apiVersion, kind, spec: canonicalSpec(`${kind} ${apiVersion}`, spec) }));
}

function canonicalSpec(kind: string, spec: Json): unknown {
  switch (kind) {
    case 'hashedrekord 0.0.1':
      return spec.value;
    case 'dsse 0.0.1': {
      const envelope = spec.at('proposedContent', 'envelope').text();
      const signature = Json.parse(envelope).at('signatures', 0, 'sig').text();
      const verifier = spec.at('proposedContent', 'verifiers', 0).text();
      return { ...hashes(envelope, 'envelopeHash'), signatures: [{ signature, verifier }] };
    }
    case 'intoto 0.0.1':
      return { content: hashes(spec.at('content', 'envelope').text(), 'hash'), publicKey: spec.at('publicKey').text() };
    case 'intoto 0.0.2': {
      const envelope = spec.at('content', 'envelope');
      // The payload is base64 twice, and is not logged.
      const payload = Buffer.from(Buffer.from(envelope.at('payload').text(), 'base64').toString(), 'base64');
      const logged = { payloadType: envelope.at('payloadType').value, signatures: envelope.at('signatures').value };
      return { content: { envelope: logged, hash: spec.at('content', 'hash').value, payloadHash: hashValue(payload) } };
    }
    default:
      throw new Error(`unsupported entry kind ${kind}`);
  }
}

function hashes(envelope: string, name: 'envelopeHash' | 'hash') {
  const payload = Buffer.from(Json.parse(envelope).at('payload').text(), 'base64');
  return { [name]: hashValue(envelope), payloadHash: hashValue(payload) };
}

function hashValue(content: Uint8Array | string) {
  return { algorithm: 'sha256', value: sha256(content).toString('hex') };
}
