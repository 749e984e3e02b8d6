// Written by `node scripts/clientTypes.ts` from docs/openapi.json. Change the routes, not this file.

/** What each operation is asked with, and what it answers. */
export type Operations = {
  /** Lists the digests of the blobs that repositories hold, as text. */
  getApiBlobs: {
    request: { query?: { limit?: string; after?: string } };
    answer: unknown;
  };
  /** Shows the same as a page. */
  getApiDocs: {
    request: Record<string, never>;
    answer: unknown;
  };
  /** Says what a collection of garbage would find. */
  getApiGarbageCollectStats: {
    request: Record<string, never>;
    answer: { totalBlobs: number; totalManifests: number; unreferencedBlobs: number; orphanedManifests: number; estimatedSpaceToFree: number; recoverableBlobs: number; recoverableBytes: number };
  };
  /** What this node logs, from INFO on, while it does. */
  getApiLogsStream: {
    request: Record<string, never>;
    answer: unknown;
  };
  /** Describes this API in OpenAPI 3.1. */
  getApiOpenapiJson: {
    request: Record<string, never>;
    answer: Record<string, unknown>;
  };
  /** Lists the blobs that repositories hold, each once. */
  getApiRegistryBlobs: {
    request: { query?: { limit?: string; after?: string } };
    answer: { position: string; totalBlobs: number; uniqueBlobs: number; totalBytes: number; uniqueBytes: number; deduplicationRatio: number; blobs: Array<{ digest: string; size: number; created: number; referenceCount: number; repositoryCount: number }>; timestamp: number };
  };
  /** Checks the registry, and says what it holds. */
  getApiRegistryHealth: {
    request: Record<string, never>;
    answer: { status: "healthy" | "degraded"; timestamp: number; uptime: number; checks: { repositoryListing: boolean; statisticsAccess: boolean; databaseConnectivity: boolean }; metrics: { totalRepositories: number | null; totalManifests: number | null; totalBlobs: number | null; activeSessions: number | null; logStreamClients: number }; warnings: Array<string>; problems: Array<string> };
  };
  /** Lists the repositories that hold a manifest, with the time of the last push. */
  getApiRegistryRepositories: {
    request: { query?: { limit?: string } };
    answer: { repositories: Array<{ name: string; lastUploaded: number }> };
  };
  /** Shows a repository with its tags and what they point at. */
  getApiRegistryRepositoriesByName: {
    request: { params: { name: string } };
    answer: { name: string; tagCount: number; tags: Array<{ tag: string; hasManifest: boolean; digest: string | null; sizeBytes: number }>; timestamp: number };
  };
  /** Lists the uploads that are under way. */
  getApiRegistrySessions: {
    request: Record<string, never>;
    answer: { activeSessions: Array<{ id: string; startTime: number; lastActivity: number; blobCount: number; duration: number }>; totalActiveSessions: number; timestamp: number };
  };
  /** Shows all that the registry holds: counters, repositories with their tags, uploads under way, its health. */
  getApiRegistryState: {
    request: { query?: { limit?: string; after?: string } };
    answer: { timestamp: number; registryVersion: "2.0"; summary: { position: string; totalRepositories: number; totalBlobs: number; totalManifests: number; unreferencedBlobs: number; orphanedManifests: number; estimatedSpaceToFree: number; recoverableBlobs: number; recoverableBytes: number }; storage: { totalBytes: number; uniqueBytes: number; spaceSavings: number; deduplicationRatio: number; uniqueBlobs: number }; repositories: Array<{ name: string; tags: Array<string>; tagCount: number }>; activeSessions: { sessions: Array<{ id: string; startTime: number; lastActivity: number; blobCount: number }>; count: number }; health: { status: "healthy" | "degraded" | "unhealthy"; uptime: number; logStreamClients: number } };
  };
  /** Shows how much is stored, and what sharing blobs saves. */
  getApiRegistryStorage: {
    request: Record<string, never>;
    answer: { storage: { totalBytes: number; uniqueBytes: number; spaceSavings: number; deduplicationRatio: number; spaceSavingsPercent: number; recoverableBlobs: number; recoverableBytes: number }; blobs: { totalBlobs: number; uniqueBlobs: number; averageReferencesPerBlob: number }; mostReferencedBlobs: Array<{ digest: string; referenceCount: number; size: number }>; timestamp: number };
  };
  /** What happens to repositories, on whichever node. */
  getApiRepositoriesStream: {
    request: Record<string, never>;
    answer: unknown;
  };
  /** The bytes that this node moves, of blobs and manifests, up and down. */
  getApiThroughputCurrent: {
    request: Record<string, never>;
    answer: { timestamp: number; categories: { BLOB_UPLOAD: { current: number; average: number; totalBytes: number }; BLOB_DOWNLOAD: { current: number; average: number; totalBytes: number }; MANIFEST_UPLOAD: { current: number; average: number; totalBytes: number }; MANIFEST_DOWNLOAD: { current: number; average: number; totalBytes: number } }; overall: { read: { current: number; average: number; totalBytes: number }; write: { current: number; average: number; totalBytes: number }; total: { current: number; average: number; totalBytes: number } } };
  };
  /** The bytes that this node moves, while it does. */
  getApiThroughputStream: {
    request: Record<string, never>;
    answer: unknown;
  };
  /** Lists who did what, in the event log and the access log, the newest first. */
  getAudit: {
    request: { query?: { user?: string; action?: string; resource?: string; from?: string; to?: string; page?: string; limit?: string; cursor?: string } };
    answer: { logs: Array<{ id: number; timestamp: string; user: string; action: string; resource: string; ip_address: string | null; user_agent: string | null; log: "facts" | "access"; actor: string; token_id: number | null; method: string | null; decision: "allowed" | "refused"; status: number | null; reason: string | null; attempted: string | null; digest: string | null; bytes: number | null; count: number; until: string; request_id: string; event_id: string | null }>; total: number; page: number; limit: number; pagination: { page: number; limit: number; total: number; pages: number }; total_is_exact: boolean; cursor: string | null };
  };
  /** Writes all entries that fit into one file, as they are read. */
  getAuditExport: {
    request: { query?: { user?: string; action?: string; resource?: string; from?: string; to?: string; format?: "csv" | "ndjson"; order?: "asc" | "desc" } };
    answer: unknown;
  };
  /** Lists the grants on prefixes. */
  getGrants: {
    request: { query?: { page?: string; limit?: string } };
    answer: { grants: Array<{ id: number; scope: string; level: "read" | "write" | "admin"; user: string | null; user_id: number | null; team: string | null; team_id: number | null; created_at: string }>; total: number; page: number; limit: number; pagination: { page: number; limit: number; total: number; pages: number } };
  };
  /** Grants a user or a team access to all repositories under a prefix, those to come too. */
  postGrants: {
    request: { body: { scope: string; user?: string; team?: string; level: "read" | "write" | "admin" } };
    answer: { id: number; scope: string; level: "read" | "write" | "admin"; user: string | null; user_id: number | null; team: string | null; team_id: number | null; created_at: string };
  };
  /** Revokes a grant on a prefix. */
  deleteGrantsById: {
    request: { params: { id: string } };
    answer: undefined;
  };
  /** Shows whether the registry is of use, and to those who may monitor what it holds. */
  getHealth: {
    request: Record<string, never>;
    answer: { status: "healthy" | "degraded" | "unhealthy"; version: string; services: { database: "healthy" | "degraded" | "unhealthy"; storage: "healthy" | "degraded" | "unhealthy"; auth: "healthy" | "degraded" | "unhealthy" }; metrics?: { repositories: number; images: number; users: number; storage_used: string } };
  };
  /** Shows what the registry holds and does, in numbers. */
  getMetrics: {
    request: Record<string, never>;
    answer: { timestamp: string; requests: { total: number; success: number; errors: number }; registry: { pulls: number | null; pushes: number; repositories: number; images: number }; storage: { total_size: number; blob_count: number; manifest_count: number }; performance: { avg_response_time: number; p95_response_time: number; p99_response_time: number } };
  };
  /** Lists the repositories that you may read, as far as they hold a manifest. */
  getRepositories: {
    request: { query?: { page?: string; limit?: string; q?: string; sort?: "name" | "-name" | "updated" | "-updated" | "size" | "-size" | "pulls" | "-pulls" | "created" | "-created"; visibility?: "private" | "public"; owner?: string; prefix?: string; cursor?: string } };
    answer: { repositories: Array<{ name: string; description: string; visibility: "private" | "public"; owner: string | null; created_at: string; updated_at: string; size: number | null; pull_count: number | null; manifest_count: number; tag_count: number }>; total: number; page: number; limit: number; pagination: { page: number; limit: number; total: number; pages: number }; total_is_exact: boolean; cursor: string | null };
  };
  /** Shows a repository with its tags. */
  getRepositoriesByName: {
    request: { params: { name: string }; query?: { limit?: string; after?: string } };
    answer: { name: string; description: string; visibility: "private" | "public"; owner: string | null; created_at: string; updated_at: string; size: number | null; pull_count: number | null; manifest_count: number; tag_count: number; tags: Array<{ name: string; digest: string; size: number; created_at: string }> };
  };
  /** Changes what is given of a repository, all of it or nothing. */
  putRepositoriesByName: {
    request: { params: { name: string }; body: { description?: string; visibility?: "private" | "public"; owner?: string } };
    answer: { name: string; description: string; visibility: "private" | "public"; owner: string | null; created_at: string; updated_at: string; size: number | null; pull_count: number | null; manifest_count: number; tag_count: number };
  };
  /** Changes what is given of a repository, all of it or nothing. */
  patchRepositoriesByName: {
    request: { params: { name: string }; body: { description?: string; visibility?: "private" | "public"; owner?: string } };
    answer: { name: string; description: string; visibility: "private" | "public"; owner: string | null; created_at: string; updated_at: string; size: number | null; pull_count: number | null; manifest_count: number; tag_count: number };
  };
  /** Deletes a repository with everything in it. */
  deleteRepositoriesByName: {
    request: { params: { name: string } };
    answer: undefined;
  };
  /** Lists who has access to a repository by a grant on it. Grants on prefixes are not among them. */
  getRepositoriesByNameGrants: {
    request: { params: { name: string }; query?: { page?: string; limit?: string } };
    answer: { grants: Array<{ id: number; scope: string; level: "read" | "write" | "admin"; user: string | null; user_id: number | null; team: string | null; team_id: number | null; created_at: string }>; total: number; page: number; limit: number; pagination: { page: number; limit: number; total: number; pages: number } };
  };
  /** Grants a user or a team access to a repository, in the place of what they were granted on it before. */
  postRepositoriesByNameGrants: {
    request: { params: { name: string }; body: { user?: string; team?: string; level: "read" | "write" | "admin" } };
    answer: { id: number; scope: string; level: "read" | "write" | "admin"; user: string | null; user_id: number | null; team: string | null; team_id: number | null; created_at: string };
  };
  /** Revokes a grant on a repository. */
  deleteRepositoriesByNameGrantsById: {
    request: { params: { name: string; id: string } };
    answer: undefined;
  };
  /** The rules by which tags stay where they are. */
  getRepositoriesByNameImmutability: {
    request: { params: { name: string } };
    answer: { rules: Array<string> };
  };
  /** Sets the rules by which tags stay where they are, once they exist. None: all may move. */
  putRepositoriesByNameImmutability: {
    request: { params: { name: string }; body: { rules: Array<string> } };
    answer: { rules: Array<string> };
  };
  /** Lists the tags of a repository by name. */
  getRepositoriesByNameTags: {
    request: { params: { name: string }; query?: { page?: string; limit?: string } };
    answer: { tags: Array<{ name: string; digest: string; size: number; created_at: string }>; total: number; page: number; limit: number; pagination: { page: number; limit: number; total: number; pages: number } };
  };
  /** Makes a new key that signs tokens from now on. What older keys signed goes on until it expires. */
  postSigningKeysRotate: {
    request: Record<string, never>;
    answer: { key_id: string; at: string };
  };
  /** Lists the teams. */
  getTeams: {
    request: { query?: { page?: string; limit?: string } };
    answer: { teams: Array<{ id: number; name: string; member_count: number; created_at: string }>; total: number; page: number; limit: number; pagination: { page: number; limit: number; total: number; pages: number } };
  };
  /** Creates a team, with nobody in it. */
  postTeams: {
    request: { body: { name: string } };
    answer: { id: number; name: string; member_count: number; created_at: string };
  };
  /** Shows a team. */
  getTeamsById: {
    request: { params: { id: string } };
    answer: { id: number; name: string; member_count: number; created_at: string };
  };
  /** Deletes a team: what was granted to it ends. */
  deleteTeamsById: {
    request: { params: { id: string } };
    answer: undefined;
  };
  /** Lists who is in a team. */
  getTeamsByIdMembers: {
    request: { params: { id: string }; query?: { page?: string; limit?: string } };
    answer: { members: Array<{ id: number; username: string | null }>; total: number; page: number; limit: number; pagination: { page: number; limit: number; total: number; pages: number } };
  };
  /** Puts a user into a team. */
  postTeamsByIdMembers: {
    request: { params: { id: string }; body: { user: string } };
    answer: { id: number; username: string | null };
  };
  /** Takes a user, by id, out of a team. */
  deleteTeamsByIdMembersByUser: {
    request: { params: { id: string; user: string } };
    answer: undefined;
  };
  /** Lists your access tokens, or those of a user, or all. */
  getTokens: {
    request: { query?: { page?: string; limit?: string; user_id?: string } };
    answer: { tokens: Array<{ id: number; user_id: number; name: string; prefix: string; permissions: Array<"pull" | "push" | "delete" | "admin">; repositories: Array<string>; created_at: string; expires_at: string | null; last_used: string | null }>; data: Array<{ id: number; user_id: number; name: string; prefix: string; permissions: Array<"pull" | "push" | "delete" | "admin">; repositories: Array<string>; created_at: string; expires_at: string | null; last_used: string | null }>; total: number; page: number; limit: number; pagination: { page: number; limit: number; total: number; pages: number } };
  };
  /** Creates an access token for you, or for a robot. */
  postTokens: {
    request: { body: { name: string; permissions: Array<"pull" | "push" | "delete" | "admin">; repositories?: Array<string>; expires_at?: string | null; user_id?: number } };
    answer: { id: number; user_id: number; name: string; prefix: string; permissions: Array<"pull" | "push" | "delete" | "admin">; repositories: Array<string>; created_at: string; expires_at: string | null; token: string };
  };
  /** Revokes an access token: it, and every login made from it, end at once. */
  deleteTokensById: {
    request: { params: { id: string } };
    answer: undefined;
  };
  /** Lists the users, in the order in which they came. */
  getUsers: {
    request: { query?: { page?: string; limit?: string } };
    answer: { users: Array<{ id: number; username: string; email: string | null; role: "admin" | "user" | "auditor" | "robot"; suspended: boolean; created_at: string; last_login: string | null }>; total: number; page: number; limit: number; pagination: { page: number; limit: number; total: number; pages: number } };
  };
  /** Creates a user. A robot may do without a password. */
  postUsers: {
    request: { body: { username: string; email?: string | null; password?: string; role?: "admin" | "user" | "auditor" | "robot" } };
    answer: { id: number; username: string; email: string | null; role: "admin" | "user" | "auditor" | "robot"; suspended: boolean; created_at: string; last_login: string | null };
  };
  /** Shows your own account. */
  getUsersMe: {
    request: Record<string, never>;
    answer: { id: number; username: string; email: string | null; role: "admin" | "user" | "auditor" | "robot"; suspended: boolean; created_at: string; last_login: string | null };
  };
  /** Changes your e-mail address. */
  putUsersMe: {
    request: { body: { email?: string | null } };
    answer: { id: number; username: string; email: string | null; role: "admin" | "user" | "auditor" | "robot"; suspended: boolean; created_at: string; last_login: string | null };
  };
  /** Changes your e-mail address. */
  patchUsersMe: {
    request: { body: { email?: string | null } };
    answer: { id: number; username: string; email: string | null; role: "admin" | "user" | "auditor" | "robot"; suspended: boolean; created_at: string; last_login: string | null };
  };
  /** Changes your password, and ends all your logins, this one too. Access tokens stay. */
  postUsersMePassword: {
    request: { body: { current_password: string; new_password: string } };
    answer: undefined;
  };
  /** Shows a user. */
  getUsersById: {
    request: { params: { id: string } };
    answer: { id: number; username: string; email: string | null; role: "admin" | "user" | "auditor" | "robot"; suspended: boolean; created_at: string; last_login: string | null };
  };
  /** Changes what is given of a user, all of it or nothing. Suspension and another role end all logins. */
  putUsersById: {
    request: { params: { id: string }; body: { email?: string | null; role?: "admin" | "user" | "auditor" | "robot"; suspended?: boolean } };
    answer: { id: number; username: string; email: string | null; role: "admin" | "user" | "auditor" | "robot"; suspended: boolean; created_at: string; last_login: string | null };
  };
  /** Changes what is given of a user, all of it or nothing. Suspension and another role end all logins. */
  patchUsersById: {
    request: { params: { id: string }; body: { email?: string | null; role?: "admin" | "user" | "auditor" | "robot"; suspended?: boolean } };
    answer: { id: number; username: string; email: string | null; role: "admin" | "user" | "auditor" | "robot"; suspended: boolean; created_at: string; last_login: string | null };
  };
  /** Deletes a user, with all logins and tokens. The repositories stay; the name is not given out again. */
  deleteUsersById: {
    request: { params: { id: string } };
    answer: undefined;
  };
  /** Sets a user another password, and ends all logins. Without one a random password is made and told this once. */
  postUsersByIdPassword: {
    request: { params: { id: string }; body: { password?: string } };
    answer: { password: string } | undefined;
  };
  /** Deletes a user, if there still is one, and erases for good what is known of the person: name, address, tokens, traces. */
  deleteUsersByIdPersonalData: {
    request: { params: { id: string } };
    answer: undefined;
  };
  /** Shows counters for a page that asks often. */
  getApiWebStatus: {
    request: Record<string, never>;
    answer: { repositories: number; totalBlobs: number; totalManifests: number; unreferencedBlobs: number; estimatedSpaceToFree: number; lastGcRun: string; logStreamClients: number; uptime: number; version: "2.0" };
  };
  /** Gives docker’s clients a token for what they are about to do. */
  getToken: {
    request: { query?: { service?: string; scope?: Array<string>; offline_token?: string } };
    answer: { token: string; access_token: string; expires_in: number; issued_at: string; scope: string; refresh_token?: string };
  };
  /** Logs in with a password: JSON for a session, a form for a token of docker’s. */
  login: {
    request: { body: { username: string; password: string } };
    answer: { token: string; expires_at: string; user: { id: number; username: string; email: string | null; role: "admin" | "user" | "auditor" | "robot" } } | { token: string; access_token: string; expires_in: number; issued_at: string; scope: string; refresh_token?: string };
  };
  /** The same as `POST /auth`. */
  loginAlias: {
    request: { body: { username: string; password: string } };
    answer: { token: string; expires_at: string; user: { id: number; username: string; email: string | null; role: "admin" | "user" | "auditor" | "robot" } } | { token: string; access_token: string; expires_in: number; issued_at: string; scope: string; refresh_token?: string };
  };
  /** Ends the session whose token is sent, and what was issued in it. */
  logout: {
    request: Record<string, never>;
    answer: { message: string };
  };
  /** Gives a CI job a token for the ID token of its provider (RFC 8693). */
  exchangeToken: {
    request: { body: unknown };
    answer: { access_token: string; token: string; issued_token_type: string; token_type: "Bearer"; expires_in: number; issued_at: string; scope: string };
  };
  /** Sends a person to an identity provider. */
  beginLogin: {
    request: { params: { provider: string }; query?: { return?: string } };
    answer: undefined;
  };
  /** Where an identity provider sends a person back to. */
  finishLogin: {
    request: { params: { provider: string } };
    answer: unknown;
  };
  /** Shows whether the registry is of use, and what is wrong with it. */
  getServerHealth: {
    request: Record<string, never>;
    answer: { status: "healthy" | "degraded" | "unhealthy"; version: string; uptime: number; database: "healthy" | "degraded" | "unhealthy"; storage: "healthy" | "degraded" | "unhealthy"; problems?: Array<string> };
  };
  /** Answers as long as this process takes requests. */
  getServerHealthLive: {
    request: Record<string, never>;
    answer: { status: "alive" };
  };
  /** Answers as long as this process takes requests. */
  getServerHealthz: {
    request: Record<string, never>;
    answer: { status: "alive" };
  };
  /** Tells Prometheus everything that can be counted. */
  getServerMetrics: {
    request: Record<string, never>;
    answer: unknown;
  };
  /** Tells whether this process can serve requests. */
  getServerReadyz: {
    request: Record<string, never>;
    answer: { status: "ready" };
  };
  /** Says that this is a registry, and which one. */
  getV2: {
    request: Record<string, never>;
    answer: { registry: string; version: string; features: Array<string> };
  };
  /** Lists the names of the repositories that you may read. */
  getV2Catalog: {
    request: { query?: { n?: number; last?: string } };
    answer: { repositories: Array<string> };
  };
  /** Deletes a repository with everything in it. */
  deleteV2ByName: {
    request: { params: { name: string } };
    answer: { message: string; manifestsDeleted: number };
  };
  /** Begins the upload of a blob, takes it whole, or mounts it from another repository. */
  postV2ByNameBlobsUploads: {
    request: { params: { name: string }; query?: { digest?: string; mount?: string; from?: string; "digest-algorithm"?: "sha256" | "sha512" } };
    answer: undefined;
  };
  /** Says how much of an upload has come. */
  getV2ByNameBlobsUploadsByUpload: {
    request: { params: { name: string; upload: string } };
    answer: undefined;
  };
  /** Ends an upload, with its last bytes or without. */
  putV2ByNameBlobsUploadsByUpload: {
    request: { params: { name: string; upload: string }; query: { digest: string } };
    answer: undefined;
  };
  /** Sends the next bytes of an upload. */
  patchV2ByNameBlobsUploadsByUpload: {
    request: { params: { name: string; upload: string }; body: unknown };
    answer: undefined;
  };
  /** Gives up an upload. */
  deleteV2ByNameBlobsUploadsByUpload: {
    request: { params: { name: string; upload: string } };
    answer: undefined;
  };
  /** Gets a blob, or the part of it that `Range` names. */
  getV2ByNameBlobsByDigest: {
    request: { params: { name: string; digest: string } };
    answer: unknown;
  };
  /** Tells whether a blob is there, and its size. */
  headV2ByNameBlobsByDigest: {
    request: { params: { name: string; digest: string } };
    answer: undefined;
  };
  /** Takes a blob out of a repository, where no manifest needs it. */
  deleteV2ByNameBlobsByDigest: {
    request: { params: { name: string; digest: string } };
    answer: undefined;
  };
  /** Gets a manifest, byte for byte as it was pushed. */
  getV2ByNameManifestsByReference: {
    request: { params: { name: string; reference: string } };
    answer: unknown;
  };
  /** Tells whether a manifest is there, and its digest. */
  headV2ByNameManifestsByReference: {
    request: { params: { name: string; reference: string } };
    answer: undefined;
  };
  /** Pushes a manifest under a tag or its digest, which makes the repository where there is none. */
  putV2ByNameManifestsByReference: {
    request: { params: { name: string; reference: string }; query?: { tag?: Array<string> }; body: unknown };
    answer: undefined;
  };
  /** Deletes a tag alone, or a manifest with all its tags. */
  deleteV2ByNameManifestsByReference: {
    request: { params: { name: string; reference: string } };
    answer: undefined;
  };
  /** Lists the manifests whose subject this one is, as an OCI image index. */
  getV2ByNameReferrersByDigest: {
    request: { params: { name: string; digest: string }; query?: { artifactType?: string; n?: number; last?: string } };
    answer: Record<string, unknown>;
  };
  /** Lists the tags of a repository. */
  getV2ByNameTagsList: {
    request: { params: { name: string }; query?: { n?: number; last?: string } };
    answer: { name: string; tags: Array<string> };
  };
};

/** Where each operation is. */
export const OPERATIONS = {
  getApiBlobs: { method: 'GET', path: '/api/blobs' },
  getApiDocs: { method: 'GET', path: '/api/docs' },
  getApiGarbageCollectStats: { method: 'GET', path: '/api/garbage-collect/stats' },
  getApiLogsStream: { method: 'GET', path: '/api/logs/stream' },
  getApiOpenapiJson: { method: 'GET', path: '/api/openapi.json' },
  getApiRegistryBlobs: { method: 'GET', path: '/api/registry/blobs' },
  getApiRegistryHealth: { method: 'GET', path: '/api/registry/health' },
  getApiRegistryRepositories: { method: 'GET', path: '/api/registry/repositories' },
  getApiRegistryRepositoriesByName: { method: 'GET', path: '/api/registry/repositories/{name}' },
  getApiRegistrySessions: { method: 'GET', path: '/api/registry/sessions' },
  getApiRegistryState: { method: 'GET', path: '/api/registry/state' },
  getApiRegistryStorage: { method: 'GET', path: '/api/registry/storage' },
  getApiRepositoriesStream: { method: 'GET', path: '/api/repositories/stream' },
  getApiThroughputCurrent: { method: 'GET', path: '/api/throughput/current' },
  getApiThroughputStream: { method: 'GET', path: '/api/throughput/stream' },
  getAudit: { method: 'GET', path: '/api/v1/audit' },
  getAuditExport: { method: 'GET', path: '/api/v1/audit/export' },
  getGrants: { method: 'GET', path: '/api/v1/grants' },
  postGrants: { method: 'POST', path: '/api/v1/grants' },
  deleteGrantsById: { method: 'DELETE', path: '/api/v1/grants/{id}' },
  getHealth: { method: 'GET', path: '/api/v1/health' },
  getMetrics: { method: 'GET', path: '/api/v1/metrics' },
  getRepositories: { method: 'GET', path: '/api/v1/repositories' },
  getRepositoriesByName: { method: 'GET', path: '/api/v1/repositories/{name}' },
  putRepositoriesByName: { method: 'PUT', path: '/api/v1/repositories/{name}' },
  patchRepositoriesByName: { method: 'PATCH', path: '/api/v1/repositories/{name}' },
  deleteRepositoriesByName: { method: 'DELETE', path: '/api/v1/repositories/{name}' },
  getRepositoriesByNameGrants: { method: 'GET', path: '/api/v1/repositories/{name}/-/grants' },
  postRepositoriesByNameGrants: { method: 'POST', path: '/api/v1/repositories/{name}/-/grants' },
  deleteRepositoriesByNameGrantsById: { method: 'DELETE', path: '/api/v1/repositories/{name}/-/grants/{id}' },
  getRepositoriesByNameImmutability: { method: 'GET', path: '/api/v1/repositories/{name}/-/immutability' },
  putRepositoriesByNameImmutability: { method: 'PUT', path: '/api/v1/repositories/{name}/-/immutability' },
  getRepositoriesByNameTags: { method: 'GET', path: '/api/v1/repositories/{name}/-/tags' },
  postSigningKeysRotate: { method: 'POST', path: '/api/v1/signing-keys/rotate' },
  getTeams: { method: 'GET', path: '/api/v1/teams' },
  postTeams: { method: 'POST', path: '/api/v1/teams' },
  getTeamsById: { method: 'GET', path: '/api/v1/teams/{id}' },
  deleteTeamsById: { method: 'DELETE', path: '/api/v1/teams/{id}' },
  getTeamsByIdMembers: { method: 'GET', path: '/api/v1/teams/{id}/members' },
  postTeamsByIdMembers: { method: 'POST', path: '/api/v1/teams/{id}/members' },
  deleteTeamsByIdMembersByUser: { method: 'DELETE', path: '/api/v1/teams/{id}/members/{user}' },
  getTokens: { method: 'GET', path: '/api/v1/tokens' },
  postTokens: { method: 'POST', path: '/api/v1/tokens' },
  deleteTokensById: { method: 'DELETE', path: '/api/v1/tokens/{id}' },
  getUsers: { method: 'GET', path: '/api/v1/users' },
  postUsers: { method: 'POST', path: '/api/v1/users' },
  getUsersMe: { method: 'GET', path: '/api/v1/users/me' },
  putUsersMe: { method: 'PUT', path: '/api/v1/users/me' },
  patchUsersMe: { method: 'PATCH', path: '/api/v1/users/me' },
  postUsersMePassword: { method: 'POST', path: '/api/v1/users/me/password' },
  getUsersById: { method: 'GET', path: '/api/v1/users/{id}' },
  putUsersById: { method: 'PUT', path: '/api/v1/users/{id}' },
  patchUsersById: { method: 'PATCH', path: '/api/v1/users/{id}' },
  deleteUsersById: { method: 'DELETE', path: '/api/v1/users/{id}' },
  postUsersByIdPassword: { method: 'POST', path: '/api/v1/users/{id}/password' },
  deleteUsersByIdPersonalData: { method: 'DELETE', path: '/api/v1/users/{id}/personal-data' },
  getApiWebStatus: { method: 'GET', path: '/api/web/status' },
  getToken: { method: 'GET', path: '/auth' },
  login: { method: 'POST', path: '/auth' },
  loginAlias: { method: 'POST', path: '/auth/login' },
  logout: { method: 'POST', path: '/auth/logout' },
  exchangeToken: { method: 'POST', path: '/auth/oidc/token' },
  beginLogin: { method: 'GET', path: '/auth/oidc/{provider}' },
  finishLogin: { method: 'GET', path: '/auth/oidc/{provider}/callback' },
  getServerHealth: { method: 'GET', path: '/health' },
  getServerHealthLive: { method: 'GET', path: '/health/live' },
  getServerHealthz: { method: 'GET', path: '/healthz' },
  getServerMetrics: { method: 'GET', path: '/metrics' },
  getServerReadyz: { method: 'GET', path: '/readyz' },
  getV2: { method: 'GET', path: '/v2/' },
  getV2Catalog: { method: 'GET', path: '/v2/_catalog' },
  deleteV2ByName: { method: 'DELETE', path: '/v2/{name}' },
  postV2ByNameBlobsUploads: { method: 'POST', path: '/v2/{name}/blobs/uploads' },
  getV2ByNameBlobsUploadsByUpload: { method: 'GET', path: '/v2/{name}/blobs/uploads/{upload}' },
  putV2ByNameBlobsUploadsByUpload: { method: 'PUT', path: '/v2/{name}/blobs/uploads/{upload}' },
  patchV2ByNameBlobsUploadsByUpload: { method: 'PATCH', path: '/v2/{name}/blobs/uploads/{upload}' },
  deleteV2ByNameBlobsUploadsByUpload: { method: 'DELETE', path: '/v2/{name}/blobs/uploads/{upload}' },
  getV2ByNameBlobsByDigest: { method: 'GET', path: '/v2/{name}/blobs/{digest}' },
  headV2ByNameBlobsByDigest: { method: 'HEAD', path: '/v2/{name}/blobs/{digest}' },
  deleteV2ByNameBlobsByDigest: { method: 'DELETE', path: '/v2/{name}/blobs/{digest}' },
  getV2ByNameManifestsByReference: { method: 'GET', path: '/v2/{name}/manifests/{reference}' },
  headV2ByNameManifestsByReference: { method: 'HEAD', path: '/v2/{name}/manifests/{reference}' },
  putV2ByNameManifestsByReference: { method: 'PUT', path: '/v2/{name}/manifests/{reference}' },
  deleteV2ByNameManifestsByReference: { method: 'DELETE', path: '/v2/{name}/manifests/{reference}' },
  getV2ByNameReferrersByDigest: { method: 'GET', path: '/v2/{name}/referrers/{digest}' },
  getV2ByNameTagsList: { method: 'GET', path: '/v2/{name}/tags/list' },
} as const satisfies Record<keyof Operations, { method: string; path: string }>;
