import { createHash, generateKeyPair, type KeyObject, sign } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { listenOnLoopback } from '../../../test/support/loopback.ts';
import { closeServer } from './close-server.ts';

const LIFETIME_S = 600;
const WORKFLOWS = '/workflows';

/** What Fulcio expects a token to be for. */
const AUDIENCE = 'sigstore';

/** A run of a workflow, as GitHub's tokens describe it; what is not given is made up. */
export interface WorkflowRun {
  /** `owner/name`. */
  readonly repository: string;
  /** For example `refs/heads/main`. */
  readonly ref?: string;
  /** Path of the workflow's file in the repository. */
  readonly workflow?: string;
  readonly trigger?: string;
}

/** Two OpenID Connect issuers on one port: people, known by their address, and workflows. */
export interface OidcIssuer {
  readonly url: string;
  readonly workflowUrl: string;
  /** An identity token for `email`, verified, good for ten minutes. */
  token(email: string): string;
  /** An identity token for a run of a workflow. */
  workflowToken(run: WorkflowRun): string;
  stop(): Promise<void>;
}

/** Starts the issuers in this process, on loopback, with a key of their own. */
export async function startOidcIssuer(): Promise<OidcIssuer> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  const kid = createHash('sha256')
    .update(publicKey.export({ format: 'der', type: 'spki' }))
    .digest('hex');
  const keys = JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid }] });
  let url = '';
  const server = createServer((request, response) => answer(url, keys, request, response));
  url = `http://${await listenOnLoopback(server)}`;
  const workflowUrl = `${url}${WORKFLOWS}`;
  return {
    url,
    workflowUrl,
    token: (email) => jwt(privateKey, kid, { iss: url, sub: email, email, email_verified: true }),
    workflowToken: (run) => jwt(privateKey, kid, { iss: workflowUrl, ...claimsOf(run) }),
    stop: () => closeServer(server),
  };
}

/** OpenID Connect Discovery 1.0, sections 3 and 4. */
function answer(url: string, keys: string, request: IncomingMessage, response: ServerResponse): void {
  const path = request.url ?? '';
  response.setHeader('content-type', 'application/json');
  if (path === '/keys') {
    response.end(keys);
  } else if (path.endsWith('/.well-known/openid-configuration')) {
    const document = {
      issuer: path.startsWith(WORKFLOWS) ? `${url}${WORKFLOWS}` : url,
      authorization_endpoint: `${url}/authorize`,
      token_endpoint: `${url}/token`,
      jwks_uri: `${url}/keys`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
    };
    response.end(JSON.stringify(document));
  } else {
    response.writeHead(404).end();
  }
}

/** The claims that Fulcio reads of GitHub's tokens (fulcio docs/oidc.md); it refuses a token that lacks one. */
function claimsOf(run: WorkflowRun) {
  const { repository, ref = 'refs/heads/main', workflow = '.github/workflows/release.yml', trigger = 'push' } = run;
  const sha = createHash('sha1').update(`${repository} ${ref}`).digest('hex');
  const workflowRef = `${repository}/${workflow}@${ref}`;
  return {
    ...{ sub: `repo:${repository}:ref:${ref}`, repository, ref, sha, event_name: trigger, workflow: 'release' },
    ...{ job_workflow_ref: workflowRef, job_workflow_sha: sha, workflow_ref: workflowRef, workflow_sha: sha },
    ...{ runner_environment: 'github-hosted', repository_visibility: 'public', repository_id: '1' },
    ...{ repository_owner: repository.split('/')[0], repository_owner_id: '1', run_id: '1', run_attempt: '1' },
  };
}

function jwt(key: KeyObject, kid: string, claims: Readonly<Record<string, unknown>>): string {
  const now = Math.floor(Date.now() / 1000);
  const body = { ...claims, aud: AUDIENCE, iat: now, nbf: now - 1, exp: now + LIFETIME_S };
  const signed = [{ alg: 'RS256', typ: 'JWT', kid }, body]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
}
