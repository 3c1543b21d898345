/** A map that forgets what was set first when it is full. */
export interface BoundedMap<T> {
  get(name: string): T | undefined;
  set(name: string, value: T): void;
  delete(name: string): void;
}

export function createBoundedMap<T>(size: number): BoundedMap<T> {
  const entries = new Map<string, T>();
  return {
    get: (name) => entries.get(name),
    set(name, value) {
      entries.delete(name);
      const [oldest] = entries.keys();
      if (entries.size >= size && oldest !== undefined) entries.delete(oldest);
      entries.set(name, value);
    },
    delete: (name) => void entries.delete(name),
  };
}
