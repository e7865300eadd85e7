/** What pods of one runtime handler can have: its runtime knows how, and so does this kernel. */
export interface RuntimeAbilities {
  /** Bind mounts that are read-only with all that is mounted below them. */
  recursiveReadOnly: boolean;
  /** Pods with a user namespace of their own. The id-mapped mounts that these need are made without the runtime. */
  userNamespaces: boolean;
  /** System call filters. A runtime that could not be asked has them, as all but the oddest do. */
  seccomp: boolean;
}

/** The part of this kernel in it. */
export interface KernelAbilities {
  /** Has mount_setattr(2), which came with Linux 5.12. */
  mountAttributes: boolean;
  /** Has user namespaces, and lets us make some. */
  userNamespaces: boolean;
}
