/** Requests by the size of the model that answered them; GPU-seconds are of passes in progress × GPUs of the instance. */
export interface ModelShare {
  readonly model: string;
  readonly instances: number;
  readonly gpus: number;
  readonly completed: number;
  /** Of these, how many needed no larger model. */
  readonly adequate: number;
  readonly gpu_seconds: number;
}

/** Requests by the smallest model that answers them well. */
export interface ClassShare {
  readonly needs: string;
  readonly arrived: number;
  readonly completed: number;
  readonly adequate: number;
}

/**
 * What complexity routing buys and costs. "Adequate" stands in for quality: the answer came from a model at least as large as the
 * request's hidden class asks for.
 */
export interface QualitySummary {
  readonly classifier: string;
  /** Share of the requests whose class the classifier named. */
  readonly classifier_accuracy: number;
  /** Of the completed requests: adequately answered; answered by a larger model than needed. */
  readonly adequate_share: number;
  readonly oversized_share: number;
  readonly gpu_seconds: number;
  readonly gpu_seconds_per_request: number;
  readonly models: readonly ModelShare[];
  readonly classes: readonly ClassShare[];
}
