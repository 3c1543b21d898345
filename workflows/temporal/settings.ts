import { type ProxyChoice, type ProxyEnvironment, ProxySettingError, proxyFor } from '../format/proxy.ts';

type UsedProxy = Extract<ProxyChoice, { readonly kind: 'proxy' }>;

/** How Temporal is reached: what the variables, the configuration file and the files that they name say at one moment. */
export interface TemporalSettings {
  readonly host: string;
  readonly port: number;
  /** `host:port` as connections and messages have it. */
  readonly address: string;
  readonly namespace: string;
  /** `undefined` for a connection in clear. */
  readonly tls: TemporalTls | undefined;
  /** `undefined` for a direct connection. */
  readonly proxy: UsedProxy | undefined;
  /** A secret. */
  readonly apiKey: string | undefined;
  readonly metadata: Readonly<Record<string, string>> | undefined;
}

export interface TemporalTls {
  /** PEM; `undefined` for the authorities of the system. */
  readonly authorities: string | undefined;
  readonly client: ClientCertificate | undefined;
  /** The name that the server's certificate must have instead of the host. */
  readonly serverName: string | undefined;
}

/** A certificate with the chain below its root, and its key, as PEM. */
export interface ClientCertificate {
  readonly chain: string;
  /** A secret. */
  readonly key: string;
  /** Its validity, Unix ms. */
  readonly from: number;
  readonly until: number;
}

/** A text that the settings hold themselves, or a file that holds it. */
type Source = { readonly path: string } | { readonly data: string | Uint8Array };

/** The profile of the Temporal CLI, as `@temporalio/envconfig` reads it. */
export interface TemporalProfile {
  readonly address?: string;
  readonly namespace?: string;
  readonly apiKey?: string;
  readonly grpcMeta?: Readonly<Record<string, string>>;
  readonly tls?: {
    readonly disabled?: boolean;
    readonly serverName?: string;
    readonly clientCert?: Source;
    readonly clientKey?: Source;
    readonly serverCACert?: Source;
  };
}

/** What reading the settings needs of the world. Every function throws where there is nothing to read. */
export interface SettingsSource {
  profile(): TemporalProfile;
  /** Reads a small file. */
  read(path: string): Promise<Uint8Array>;
  /** Parses the first certificate of a PEM. */
  certificate(pem: string): { readonly validFromDate: Date; readonly validToDate: Date };
  /** Whether the key of the second PEM belongs to the certificate of the first; throws where the key is not a key. */
  isPair(certificate: string, key: string): boolean;
}

/** A setting of Temporal that can't be used. The message is `cause; fix` and holds no secret. */
export class TemporalSettingError extends Error {
  override readonly name = 'TemporalSettingError';
}

const DEFAULT_PORT = 7_233;

/**
 * Reads how Temporal is reached. What is half-written is an error and never half-used: a certificate whose key is another
 * one's, and a list of certificates that ends within one. What is as it was in `known` is not checked again. Throws a
 * {@link TemporalSettingError}.
 */
export async function readTemporalSettings(
  source: SettingsSource,
  environment: ProxyEnvironment,
  known?: TemporalSettings,
): Promise<TemporalSettings> {
  const profile = readProfile(source);
  const { host, port } = parseAddress(profile.address ?? `localhost:${DEFAULT_PORT}`);
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const tls = await readTls(source, profile, known?.tls);
  const { namespace = 'default', apiKey, grpcMeta: metadata } = profile;
  if (apiKey === '') throw new TemporalSettingError('TEMPORAL_API_KEY is empty; set it, or unset it');
  const proxy = chooseProxy({ scheme: tls === undefined ? 'http' : 'https', host, port }, environment);
  return { host, port, address, namespace, tls, proxy, apiKey, metadata };
}

function readProfile(source: SettingsSource): TemporalProfile {
  try {
    return source.profile();
  } catch (error) {
    // A parser quotes the line that it does not understand, and the file may hold an API key.
    const [said = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
    throw new TemporalSettingError(
      `the configuration of the Temporal CLI could not be read: ${said.slice(0, 200)}; correct TEMPORAL_CONFIG_FILE and the TEMPORAL_* variables`,
    );
  }
}

function parseAddress(text: string): { readonly host: string; readonly port: number } {
  const [, bracketed, name, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? name;
  const port = digits === undefined ? DEFAULT_PORT : Number(digits);
  if (host === undefined || port === 0 || port > 65_535) {
    throw new TemporalSettingError(
      `TEMPORAL_ADDRESS is not HOST:PORT: ${JSON.stringify(text.slice(0, 80))}; set it to a value such as temporal.example:7233`,
    );
  }
  return { host, port };
}

function chooseProxy(target: Parameters<typeof proxyFor>[0], environment: ProxyEnvironment): UsedProxy | undefined {
  try {
    const choice = proxyFor(target, environment);
    if (choice.kind === 'direct') return undefined;
    if (target.host.includes(':')) {
      throw new TemporalSettingError(
        `the proxy ${choice.label} can't be asked for the IPv6 address ${target.host} by gRPC; use a name in TEMPORAL_ADDRESS, or list the address in NO_PROXY`,
      );
    }
    if (choice.scheme === 'http') return choice;
    throw new TemporalSettingError(
      `the proxy ${choice.label} is reached by TLS, which connections to Temporal do not support; name a proxy at http://, or list ${target.host} in NO_PROXY`,
    );
  } catch (error) {
    if (error instanceof ProxySettingError) throw new TemporalSettingError(error.message);
    throw error;
  }
}

async function readTls(
  source: SettingsSource,
  profile: TemporalProfile,
  known: TemporalTls | undefined,
): Promise<TemporalTls | undefined> {
  const { tls } = profile;
  if (tls === undefined) {
    const none = { authorities: undefined, client: undefined, serverName: undefined };
    return profile.apiKey === undefined ? undefined : none;
  }
  if (tls.disabled === true) return undefined;
  const authorities = tls.serverCACert && (await readPem(source, tls.serverCACert, 'TEMPORAL_TLS_SERVER_CA_CERT'));
  if (authorities !== undefined && authorities !== known?.authorities) {
    checkCertificates(source, authorities, 'TEMPORAL_TLS_SERVER_CA_CERT');
  }
  return { authorities, client: await readClient(source, tls, known?.client), serverName: tls.serverName };
}

async function readClient(
  source: SettingsSource,
  { clientCert, clientKey }: NonNullable<TemporalProfile['tls']>,
  known: ClientCertificate | undefined,
): Promise<ClientCertificate | undefined> {
  if (clientCert === undefined && clientKey === undefined) return undefined;
  if (clientCert === undefined || clientKey === undefined) {
    const [set, missing] = clientKey === undefined ? ['CERT', 'KEY'] : ['KEY', 'CERT'];
    throw new TemporalSettingError(
      `TEMPORAL_TLS_CLIENT_${set}_PATH is set and TEMPORAL_TLS_CLIENT_${missing}_PATH is not; set both`,
    );
  }
  const chain = await readPem(source, clientCert, 'TEMPORAL_TLS_CLIENT_CERT');
  const key = await readPem(source, clientKey, 'TEMPORAL_TLS_CLIENT_KEY');
  if (chain === known?.chain && key === known.key) return known;
  const { validFromDate, validToDate } = checkCertificates(source, chain, 'TEMPORAL_TLS_CLIENT_CERT');
  if (!isPair(source, chain, key)) {
    throw new TemporalSettingError(
      'the client certificate of Temporal and its key do not belong together; write both files of one renewal',
    );
  }
  return { chain, key, from: validFromDate.getTime(), until: validToDate.getTime() };
}

function isPair(source: SettingsSource, chain: string, key: string): boolean {
  try {
    return source.isPair(chain, key);
  } catch {
    // The error of the system may quote the key.
    throw new TemporalSettingError('TEMPORAL_TLS_CLIENT_KEY is not a private key as PEM; write the whole key');
  }
}

async function readPem(source: SettingsSource, from: Source, variable: string): Promise<string> {
  if ('data' in from) return typeof from.data === 'string' ? from.data : new TextDecoder().decode(from.data);
  try {
    return new TextDecoder().decode(await source.read(from.path));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
    const problem = code ?? (error instanceof Error ? error.message : String(error));
    throw new TemporalSettingError(
      `the file of ${variable}_PATH, ${from.path}, could not be read: ${problem}; correct the path or the file`,
    );
  }
}

/** Answers the first certificate. */
function checkCertificates(source: SettingsSource, pem: string, variable: string) {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  const begun = pem.split('-----BEGIN').length - 1;
  try {
    const [first] = blocks.map((block) => source.certificate(block));
    // A key beside the certificate in one file is usual; a block that does not end is not.
    const ended = pem.split('-----END').length - 1;
    if (first !== undefined && begun === ended) return first;
  } catch {} // told below, as every other PEM that is not whole
  throw new TemporalSettingError(`${variable} is not a list of whole certificates as PEM; write the whole file`);
}

/** The settings as the client libraries of Temporal take them, apart from the address and the proxy. Holds secrets. */
export function clientOptions({ tls, apiKey, metadata }: TemporalSettings) {
  const bytes = (text: string) => new TextEncoder().encode(text);
  return {
    tls: tls !== undefined && {
      ...(tls.authorities !== undefined && { serverRootCACertificate: bytes(tls.authorities) }),
      ...(tls.client !== undefined && { clientCertPair: { crt: bytes(tls.client.chain), key: bytes(tls.client.key) } }),
      ...(tls.serverName !== undefined && { serverNameOverride: tls.serverName }),
    },
    ...(apiKey !== undefined && { apiKey }),
    ...(metadata !== undefined && { metadata: { ...metadata } }),
  };
}
