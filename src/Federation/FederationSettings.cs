using System.ComponentModel.DataAnnotations;
using FedKSeed.Contracts;
using FedKSeed.Federation.Aggregation;
using FedKSeed.Federation.Rates;
using FedKSeed.Federation.Rounds;
using FedKSeed.Federation.Sampling;

namespace FedKSeed.Federation;

/// <summary>Which version a federation that ends as planned keeps.</summary>
public enum KeptVersion
{
    /// <summary>The last one.</summary>
    Last,

    /// <summary>The one with the least held-out loss of those that were evaluated; the last one where none was.</summary>
    Best,
}

/// <summary>Everything that a federation is: recorded once, in the first entry of its log, and never changed afterwards.</summary>
public sealed record FederationSettings
{
    // ε·2ᵉ: below it a step vanishes in float32, above it the two losses are not of neighbouring models.
    private const double LeastStep = 1.0 / (1L << 60), LargestStep = 2;

    /// <summary>Names the log, the queues and the keys of the federation.</summary>
    [RegularExpression(Names.Pattern, ErrorMessage = "{0} must be " + Names.Rule + ".")]
    public string Name { get; init; } = "federation";

    /// <summary>SHA-256 of the base checkpoint's tensors, hexadecimal: what every rebuild starts from.</summary>
    [RegularExpression(@"\A[0-9a-f]{64}\z", ErrorMessage = "{0} must be 64 hexadecimal digits, the SHA-256 of the base model's tensors.")]
    public string BaseModelDigest { get; init; } = "";

    /// <summary>What the model moves along.</summary>
    [Required]
    public DirectionSpace Directions { get; init; } = new();

    /// <summary>How seeds are drawn.</summary>
    [Required]
    public SamplingRule Sampling { get; init; } = SamplingRule.Uniform;

    /// <summary>How reports become a commit.</summary>
    [Required]
    public AggregationRule Aggregation { get; init; } = AggregationRule.WeightedMean;

    /// <summary>Which version is kept at the end.</summary>
    [EnumDataType(typeof(KeptVersion))]
    public KeptVersion Keep { get; init; }

    [Range(1, Limits.Rounds)]
    public int Rounds { get; init; } = 60;

    /// <summary>τ, the zeroth-order steps of one assignment.</summary>
    [Range(1, Limits.Steps)]
    public int StepsPerRound { get; init; } = 25;

    [Range(1, Limits.BatchSize)]
    public int BatchSize { get; init; } = 16;

    /// <summary>ε, half the distance between the two points at which a step takes the loss.</summary>
    [Range(1e-8, 1.0)]
    public float Epsilon { get; init; } = 1e-3f;

    /// <summary>η before its schedule.</summary>
    [Range(1e-12, 1.0)]
    public double LearningRate { get; init; } = 6e-4;

    [Required]
    public LearningRateSchedule Schedule { get; init; } = LearningRateSchedule.Cosine;

    /// <summary>What each client's learning rate goes by.</summary>
    [Required, LeftOutByDefault]
    public ClientRateRule ClientRates { get; init; } = ClientRateRule.None;

    /// <summary>How that becomes a factor on the round's learning rate.</summary>
    [Required, LeftOutByDefault]
    public ClientRateForm ClientRateForm { get; init; } = ClientRateForm.FedMeZO;

    /// <summary>κ, how far the factors spread about 1.</summary>
    [Range(0.0, 1.0), LeftOutByDefault]
    public double ClientRateSpread { get; init; } = 0.5;

    /// <summary>Reports of a client, the last ones that were committed, that its rate goes by.</summary>
    [Range(1, 100), LeftOutByDefault]
    public int ClientRateWindow { get; init; } = 1;

    /// <summary>A scalar beyond this is refused: it says that something is broken, not where the loss falls.</summary>
    [Range(1e-3, 1e9)]
    public double MaximumScalar { get; init; } = 1e4;

    /// <summary>c: amplitudes are clipped to this before they count as importance.</summary>
    [Range(1e-6, 1e6)]
    public double ImportanceClip { get; init; } = 1000;

    /// <summary>Clients that must be alive before a round starts.</summary>
    [Range(1, 1_000_000)]
    public int MinimumClients { get; init; } = 1;

    /// <summary>Clients that are asked for in a round; 0 to go by <see cref="Participation"/> alone.</summary>
    [Range(0, 1_000_000)]
    public int ParticipantsPerRound { get; init; }

    /// <summary>Share of the free clients that are asked for in a round. Which ones follows from pool key and round.</summary>
    [Range(0.001, 1.0)]
    public double Participation { get; init; } = 1;

    /// <summary>
    /// So many times the clients asked for are invited, and the quorum is of those asked for: the slowest need not be waited for.
    /// </summary>
    [Range(1.0, 10.0)]
    public double OverSelection { get; init; } = 1;

    /// <summary>Share of the clients asked for in a round whose reports close it at once.</summary>
    [Range(0.01, 1.0)]
    public double Quorum { get; init; } = 1;

    /// <summary>A round that has fewer reports at its deadline waits for one more deadline, then closes with what it has.</summary>
    [Range(0, 1_000_000)]
    public int MinimumReports { get; init; }

    /// <summary>
    /// Continuous mode: a round closes as soon as this many reports are in hand, of whatever round, and clients that become free join
    /// the open one; 0 for rounds that close at their quorum.
    /// </summary>
    [Range(0, 1_000_000)]
    public int CommitEvery { get; init; }

    /// <summary>
    /// Time after which a round closes with the reports in hand. Well under the broker's 30-minute acknowledgement timeout.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:20:00")]
    public TimeSpan RoundDeadline { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// Share, below 1, of the reports that are lost, to see how a federation does when clients fail. Which ones follows from pool key,
    /// round and client; a synchronous round does not wait for them.
    /// </summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true), LeftOutByDefault]
    public double Dropout { get; init; }

    /// <summary>A report based on a version more commits old than this is refused.</summary>
    [Range(0, 1000)]
    public int StalenessBound { get; init; } = 10;

    /// <summary>The federation ends at the first commit after so long; zero for no limit.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "365.00:00:00")]
    public TimeSpan TimeLimit { get; init; }

    /// <summary>The federation ends when the held-out loss, nats a token, is at most this; 0 for no target.</summary>
    [Range(0.0, 1e6)]
    public double TargetLoss { get; init; }

    /// <summary>
    /// Nothing depends on timing: every round takes all participants and the next one waits for a version's evaluation, so
    /// that two runs with the same settings write the same log but for times.
    /// </summary>
    public bool Synchronous { get; init; }

    /// <summary>
    /// Versions between two evaluations on held-out data; 0 for none. The base and the last version are always evaluated.
    /// </summary>
    [Range(0, 1_000_000)]
    public int EvaluateEvery { get; init; } = 5;

    /// <summary>The federation stops when the held-out loss is more than this many times that of the base model.</summary>
    [Range(1.0, 1e6)]
    public double DivergenceFactor { get; init; } = 3;

    /// <summary>η of the assignments of a round; rounds count from 1.</summary>
    public double LearningRateOf(int round) => LearningRate * Schedule.Share((double)(round - 1) / Rounds);

    public bool IsEvaluationDue(int version) =>
        EvaluateEvery > 0 && (version % EvaluateEvery == 0 || version == Rounds);

    /// <summary>Everything that is wrong with these settings, each by name and allowed range; empty when they are sound.</summary>
    public IReadOnlyList<string> Faults()
    {
        var faults = new List<ValidationResult>();
        Validator.TryValidateObject(this, new ValidationContext(this), faults, validateAllProperties: true);
        if (Directions is not null)
            Validator.TryValidateObject(Directions, new ValidationContext(Directions), faults, validateAllProperties: true);
        var messages = faults.Select(fault => fault.ErrorMessage!).ToList();
        var isStepOutOfRange = Directions?.Trainable?.Any(
            group => group is not null && Math.ScaleB(Epsilon, group.Scale) is < LeastStep or > LargestStep) == true;
        if (isStepOutOfRange)
            messages.Add($"{nameof(Epsilon)} · 2^scale must be between 2^-60 and 2 for every group of {nameof(DirectionSpace.Trainable)}.");
        var largest = ClientRateForm is null ? 1 : ClientRates?.LargestFactor(ClientRateForm, ClientRateSpread) ?? 1;
        if (LearningRate * largest * MaximumScalar > Limits.Contribution)
            messages.Add(largest == 1
                ? $"The product of {nameof(LearningRate)} and {nameof(MaximumScalar)} must not exceed {Limits.Contribution}."
                : $"The product of {nameof(LearningRate)}, {nameof(MaximumScalar)} and {largest}, the largest factor of "
                    + $"{nameof(ClientRates)} {ClientRates}, must not exceed {Limits.Contribution}.");
        if (Synchronous && (Quorum < 1 || OverSelection > 1 || CommitEvery > 0))
            messages.Add(
                $"{nameof(Quorum)} and {nameof(OverSelection)} must be 1 and {nameof(CommitEvery)} 0 when {nameof(Synchronous)} is set.");
        if (TargetLoss > 0 && EvaluateEvery == 0)
            messages.Add($"{nameof(EvaluateEvery)} must be at least 1 when {nameof(TargetLoss)} is set.");
        return messages;
    }
}
