namespace FedKSeed.InstructionData;

/// <summary>What becomes of an example that is longer than the longest sequence.</summary>
public enum LongExamples
{
    /// <summary>
    /// What is given is cut as far as the answer needs: <see cref="ShorterExample"/>. Where that is not enough, the end is cut off.
    /// </summary>
    CutInput,

    /// <summary>The end is cut off: the answer's, and with it the token that ends it.</summary>
    CutEnd,

    /// <summary>It is left out.</summary>
    Drop,
}
