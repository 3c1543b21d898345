import dns, { type LookupAddress, type LookupOptions } from 'node:dns';
import { syncBuiltinESMExports } from 'node:module';

/** This is reached directly. */
export const DIRECT = 'svc.test';
/** Only a proxy knows where this is. */
export const BEHIND = 'svc.behind.test';

/** Where the names of the suite are. */
export function addressOf(name: string): string | undefined {
  return name === DIRECT ? '127.0.0.1' : undefined;
}

type Callback = (error: Error | null, address: string | LookupAddress[], family?: number) => void;

/** Makes the system's own lookup know them as well: clients that are not ours ask it. */
export function patchSystemLookup(): void {
  const system = dns.lookup;
  const find = (name: string, options: LookupOptions, callback: Callback): void => {
    const address = addressOf(name);
    if (address === undefined) system(name, options, callback);
    else if (options.all === true) callback(null, [{ address, family: 4 }]);
    else callback(null, address, 4);
  };
  // Two of its many overloads, which are those that clients call.
  dns.lookup = ((name: string, options: LookupOptions | Callback, callback?: Callback) => {
    if (typeof options === 'function') find(name, {}, options);
    else if (callback !== undefined) find(name, options, callback);
  }) as typeof dns.lookup;
  dns.promises.lookup = ((name: string, options: LookupOptions = {}) =>
    new Promise((resolve, reject) => {
      find(name, options, (error, address, family) => {
        if (error !== null) reject(error);
        else resolve(Array.isArray(address) ? address : { address, family: family ?? 4 });
      });
    })) as typeof dns.promises.lookup;
  syncBuiltinESMExports();
}
