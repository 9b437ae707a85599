/** What the page asks of the engine's worker; types only, so that both sides can import it. */
export interface EngineApi {
  /** Opens the GPU once and says what it is, or in one sentence why there is none. */
  device(): Promise<DeviceReport>;
}

export type DeviceReport =
  { ok: true; name: string; software: boolean; maxBufferBytes: number } | { ok: false; sentence: string };
