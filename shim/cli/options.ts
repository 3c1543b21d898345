/** Defaults that several commands share; the launcher has the first one compiled in. */
export const DEFAULT_LAUNCHER_SOCKET = '/run/portcullis/launcher.sock';
export const DEFAULT_GRPC_SOCKET = '/run/portcullis/grpc.sock';
export const DEFAULT_TASK_QUEUE = 'portcullis';

/** Parses `HOST:PORT`; `off` is no address. Throws with a sentence on anything else. */
export function parseListenAddress(text: string): { readonly host: string; readonly port: number } | undefined {
  if (text === 'off') return undefined;
  const match = /^(.+):(\d{1,5})$/.exec(text);
  const [, host, port] = match ?? [];
  if (host === undefined || port === undefined || Number(port) > 65_535) {
    throw new Error(`expected HOST:PORT or "off", got ${JSON.stringify(text)}`);
  }
  return { host, port: Number(port) };
}
