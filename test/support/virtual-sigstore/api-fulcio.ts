import { createPublicKey } from 'node:crypto';
import { type ApiRequest, bytes, Json, json, problem, type Service } from './api.ts';
import { toPem } from './der.ts';
import type { FulcioClaims, SubjectName } from './fulcio-extensions.ts';
import type { LeafPlan, VirtualSigstore } from './sigstore.ts';

/**
 * Fulcio's API, both versions: believes every token, whoever signed it. cosign 3 sends the token as a bearer and wants 200 of v2; cosign 2
 * asks v1 and wants 201 and PEM.
 */
export function fulcioService(sigstore: VirtualSigstore, clock: () => Date): Service {
  const chain = [sigstore.intermediate.pem, sigstore.root.pem];
  return (request) => {
    switch (`${request.method} ${request.path}`) {
      case 'POST /api/v1/signingCert':
        return bytes(issueFor(sigstore, request, clock()) + chain.join(''), 'application/pem-certificate-chain', 201);
      case 'POST /api/v2/signingCert': {
        const certificates = [issueFor(sigstore, request, clock()), ...chain];
        return json({ signedCertificateEmbeddedSct: { chain: { certificates } } });
      }
      case 'GET /api/v2/trustBundle':
        return json({ chains: [{ certificates: chain }] });
      case 'GET /api/v1/rootCert':
        return bytes(chain.join(''), 'application/pem-certificate-chain');
      default:
        return problem(404, 'not found');
    }
  };
}

/** A token for {@link fulcioService}. The header names a real algorithm, because cosign looks; the signature is of nobody. */
export function identityToken(claims: Readonly<Record<string, string>>, now = new Date()): string {
  const seconds = Math.floor(now.getTime() / 1000);
  // Without `email_verified` cosign refuses the token itself.
  const payload = { aud: 'sigstore', iat: seconds, exp: seconds + 3600, email_verified: true, ...claims };
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'RS256', typ: 'JWT', kid: 'test' })}.${part(payload)}.${Buffer.alloc(256, 7).toString('base64url')}`;
}

function issueFor(sigstore: VirtualSigstore, request: ApiRequest, now: Date): string {
  const body = Json.parse(request.body);
  const bearer = String(request.headers['authorization'] ?? '').replace(/^Bearer /i, '');
  const token = bearer === '' ? body.at('credentials', 'oidcIdentityToken').text() : bearer;
  const claims = Json.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url'));
  const window = { from: now, until: new Date(now.getTime() + 10 * 60_000) };
  return sigstore.certifyLeaf({ spki: publicKeyOf(body) }, { ...leafPlan(claims), window }, now).pem;
}

function publicKeyOf(body: Json): Buffer {
  const v2 = body.at('publicKeyRequest', 'publicKey', 'content').maybeText();
  const content = v2 ?? Buffer.from(body.at('publicKey', 'content').text(), 'base64').toString('latin1');
  const pem = content.startsWith('-----')
    ? content
    : toPem(Buffer.from(content, v2 === undefined ? 'latin1' : 'base64'), 'PUBLIC KEY');
  return createPublicKey(pem).export({ type: 'spki', format: 'der' });
}

/** Who a token is about: a workflow of GitHub, somebody with an e-mail address, or the subject itself. */
function leafPlan(token: Json): LeafPlan {
  const issuer = token.at('iss').text();
  return { names: [nameOf(token)], issuer: { v1: issuer, v2: issuer }, claims: claimsOf(token) };
}

function nameOf(token: Json): SubjectName {
  const workflow = token.at('job_workflow_ref').maybeText();
  if (workflow !== undefined) return { kind: 'uri', text: `https://github.com/${workflow}` };
  const email = token.at('email').maybeText();
  if (email !== undefined) return { kind: 'email', text: email };
  const subject = token.at('sub').text();
  return { kind: /^(https|spiffe):/.test(subject) ? 'uri' : 'other', text: subject };
}

function claimsOf(token: Json): FulcioClaims {
  const repository = token.at('repository').maybeText();
  if (repository === undefined) return {};
  const text = (name: string) => token.at(name).maybeText() ?? '';
  return {
    githubWorkflowTrigger: text('event_name'),
    githubWorkflowSha: text('sha'),
    githubWorkflowName: text('workflow'),
    githubWorkflowRepository: repository,
    githubWorkflowRef: text('ref'),
    buildSignerUri: `https://github.com/${text('job_workflow_ref')}`,
    runnerEnvironment: text('runner_environment'),
    sourceRepositoryUri: `https://github.com/${repository}`,
    sourceRepositoryDigest: text('sha'),
    sourceRepositoryRef: text('ref'),
    buildTrigger: text('event_name'),
  };
}
