/** A repository: `docker.io` and `library/alpine`. An `ImageName` is one. */
export interface Repository {
  readonly registry: string;
  readonly repository: string;
}
