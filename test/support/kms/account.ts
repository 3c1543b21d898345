import { createHash, createHmac } from 'node:crypto';

export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Asks IAM for one action by its Query API, signed with Signature Version 4. Answers XML; rejects with what IAM said. */
export async function askIam(
  url: string,
  key: AccessKey,
  parameters: Readonly<Record<string, string>>,
): Promise<string> {
  const body = new URLSearchParams({ Version: '2010-05-08', ...parameters }).toString();
  const time = `${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')}`;
  const day = time.slice(0, 8);
  const { host } = new URL(url);
  const type = 'application/x-www-form-urlencoded';
  const names = 'content-type;host;x-amz-date';
  const canonical = [
    'POST',
    '/',
    '',
    `content-type:${type}`,
    `host:${host}`,
    `x-amz-date:${time}`,
    '',
    names,
    sha256(body),
  ];
  const scope = `${day}/us-east-1/iam/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical.join('\n'))].join('\n');
  const secret = [day, 'us-east-1', 'iam', 'aws4_request'].reduce<Uint8Array>(
    hmac,
    Buffer.from(`AWS4${key.secretAccessKey}`),
  );
  const signature = Buffer.from(hmac(secret, text)).toString('hex');
  const authorization = `AWS4-HMAC-SHA256 Credential=${key.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  const headers = { 'content-type': type, 'x-amz-date': time, authorization };
  const response = await fetch(url, { method: 'POST', headers, body });
  const answer = await response.text();
  if (!response.ok) throw new Error(`IAM: ${parameters['Action']}: ${response.status} ${answer}`);
  return answer;
}

/** Makes a user who may do what this policy document allows, and nothing else. */
export async function createUser(url: string, root: AccessKey, name: string, document: object): Promise<AccessKey> {
  const UserName = name;
  await askIam(url, root, { Action: 'CreateUser', UserName });
  const PolicyDocument = JSON.stringify(document);
  await askIam(url, root, { Action: 'PutUserPolicy', UserName, PolicyName: 'document', PolicyDocument });
  const made = await askIam(url, root, { Action: 'CreateAccessKey', UserName });
  const [accessKeyId, secretAccessKey] = ['AccessKeyId', 'SecretAccessKey'].map(
    (element) => new RegExp(`<${element}>([^<]+)</${element}>`).exec(made)?.[1],
  );
  if (accessKeyId === undefined || secretAccessKey === undefined) throw new Error('expected an access key');
  return { accessKeyId, secretAccessKey };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function hmac(key: Uint8Array, text: string): Uint8Array {
  return createHmac('sha256', key).update(text).digest();
}
