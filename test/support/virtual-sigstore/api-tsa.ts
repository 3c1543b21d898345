import { ASN1Obj } from '@sigstore/core';
import { bytes, Json, type Service } from './api.ts';
import type { ImprintHash, StampRequest, Tsa } from './tsa.ts';

/** The API of Sigstore's timestamp authority: DER queries (RFC 3161), and its own JSON ones. */
export function tsaService(tsa: Tsa, clock: () => Date): Service {
  return ({ method, path, headers, body }) => {
    switch (`${method} ${path}`) {
      case 'POST /api/v1/timestamp': {
        const request = headers['content-type'] === 'application/json' ? fromJson(Json.parse(body)) : fromDer(body);
        return bytes(tsa.answer(request, clock()), 'application/timestamp-reply', 201);
      }
      case 'GET /api/v1/timestamp/certchain':
        return bytes(tsa.leaf.pem + tsa.root.pem, 'application/pem-certificate-chain');
      default:
        return undefined;
    }
  };
}

function fromJson(query: Json): StampRequest {
  const hash = hashNamed(query.at('hashAlgorithm').text());
  return {
    hash,
    imprint: Buffer.from(query.at('artifactHash').text(), 'base64'),
    certificates: query.at('certificates').value === true,
  };
}

/** TimeStampReq: version, message imprint, then policy, nonce and whether certificates are wanted, each optional. */
function fromDer(query: Uint8Array): StampRequest {
  const [, imprint, ...optional] = ASN1Obj.parseBuffer(Buffer.from(query)).subs;
  const algorithm = imprint?.subs[0]?.subs[0]?.toOID() ?? '';
  const nonce = optional.find((value) => value.tag.number === 0x02 && value.tag.isUniversal());
  const certificates = optional.some((value) => value.tag.isBoolean() && value.toBoolean());
  return {
    hash: hashNamed(algorithm),
    imprint: imprint?.subs[1]?.value ?? Buffer.alloc(0),
    certificates,
    ...(nonce === undefined ? {} : { nonce: BigInt(`0x${nonce.value.toString('hex')}`) }),
  };
}

function hashNamed(name: string): ImprintHash {
  switch (name) {
    case '2.16.840.1.101.3.4.2.2':
    case 'sha384':
      return 'sha384';
    case '2.16.840.1.101.3.4.2.3':
    case 'sha512':
      return 'sha512';
    default:
      return 'sha256';
  }
}
