/** What stands before the chapters. Markdown, as OpenAPI has it. */
export const INTRODUCTION = `An event-sourced registry for OCI and Docker images: the registry protocol (\`/v2\`), logins (\`/auth\`), the management API (\`/api/v1\`) and
the monitoring API (the rest of \`/api\`).

Send a password or an access token with every request: \`Authorization: Basic\` or \`Bearer\`. HEAD answers wherever GET does, without a body. A path
that exists refuses other methods with 405 and \`Allow\`. Names of repositories contain slashes, which may be sent as they are or as \`%2F\`.

Times of the management API are RFC 3339 in UTC, those of the monitoring API are milliseconds since 1970. Sizes are bytes.

\`x-action\` of an operation is what its caller must be allowed to do; \`open\`: anybody may.`;

/** The chapters of the description, in the order in which they are shown. A spec fails for a chapter that is missing here. */
export const CHAPTERS: Readonly<Record<string, string>> = {
  Login: 'Tokens for passwords, for docker’s clients, for CI jobs; logging in at an identity provider.',
  Registry: 'The OCI distribution protocol, as docker, podman, skopeo and ORAS speak it.',
  Repositories: 'What the management API knows of repositories, and what may be done with them.',
  Users: 'Everybody’s accounts.',
  Profile: 'Your own account.',
  'Access tokens': 'Access tokens, for programs.',
  Access: 'Who may do what in which repositories.',
  Teams: 'Groups of users.',
  'Signing keys': 'The keys that sign the tokens of logins.',
  System: 'How the registry is, and what it has done.',
  'Audit Logs': 'Who did what, when, and from where.',
  Monitoring: 'The state of the registry for programs that watch it.',
  Health: 'For load balancers, orchestrators and Prometheus.',
  Reference: 'This description.',
};
