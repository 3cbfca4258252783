namespace FedKSeed.Observation;

/// <param name="Question">Instruction and input.</param>
public sealed record SampleAnswer(string Question, string Wanted, string Answer);

/// <summary>How a model folder does on the whole held-out file.</summary>
/// <param name="Loss">Nats a token; null when not finite.</param>
/// <param name="ExactMatch">0 to 1.</param>
/// <param name="RougeL">0 to 1.</param>
public sealed record HeldOutScore(int Examples, double? Loss, double ExactMatch, double RougeL, IReadOnlyList<SampleAnswer> Answers);
