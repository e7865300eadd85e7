/** What of an image's config the container made from it can see. Absent fields are empty. */
export interface ImageConfig {
  /** `NAME=value` each. */
  env: string[];
  entrypoint: string[];
  cmd: string[];
  workingDir: string;
  /** `user`, `user:group`, `uid` or `uid:gid`; names are looked up in the image's own files. */
  user: string;
  /** A name or a number, as the Dockerfile said it. */
  stopSignal: string;
  /** Paths inside the container. */
  volumes: string[];
  labels: Record<string, string>;
}
