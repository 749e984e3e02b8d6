/** As much of a JSON Schema as this registry writes. */
export type Schema = Readonly<{
  $ref?: string;
  type?: string | readonly string[];
  description?: string;
  format?: string;
  enum?: readonly unknown[];
  const?: unknown;
  properties?: Readonly<Record<string, Schema>>;
  required?: readonly string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  anyOf?: readonly Schema[];
  oneOf?: readonly Schema[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  pattern?: string;
  default?: unknown;
  example?: unknown;
}>;
export type Media = Readonly<{ schema?: Schema; example?: unknown }>;
export type Content = Readonly<Record<string, Media>>;
export type Header = Readonly<{ $ref?: string; description?: string; schema?: Schema }>;
export type Answer = Readonly<{
  $ref?: string;
  description?: string;
  headers?: Readonly<Record<string, Header>>;
  content?: Content;
}>;
export type Parameter = Readonly<{ name: string; in: string; required?: boolean; description?: string; schema: Schema }>;
export type Operation = Readonly<{
  operationId: string;
  summary: string;
  description?: string;
  tags: readonly string[];
  parameters?: readonly Parameter[];
  requestBody?: Readonly<{ required: boolean; content: Content; description?: string }>;
  responses: Readonly<Record<string, Answer>>;
  security: readonly Readonly<Record<string, readonly string[]>>[];
  /** What its caller must be allowed to do; `open`: anybody may. */
  'x-action': string;
}>;
export type Document = Readonly<{
  openapi: string;
  info: Readonly<{ title: string; version: string; description: string }>;
  servers: readonly Readonly<{ url: string }>[];
  tags: readonly Readonly<{ name: string; description: string }>[];
  paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  components: Readonly<{
    schemas: Readonly<Record<string, Schema>>;
    responses: Readonly<Record<string, Answer>>;
    headers: Readonly<Record<string, Header>>;
    securitySchemes: Readonly<Record<string, object>>;
  }>;
}>;
