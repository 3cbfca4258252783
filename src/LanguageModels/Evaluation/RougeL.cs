namespace FedKSeed.LanguageModels.Evaluation;

/// <summary>ROUGE-L (Lin 2004) of one sentence: F1 over the longest common subsequence of white-space separated words.</summary>
public static class RougeL
{
    /// <summary>Between 0 and 1; 0 where either text has no word.</summary>
    public static double F1(string hypothesis, string reference)
    {
        string[] a = Words(hypothesis), b = Words(reference);
        var common = LongestCommonSubsequence(a, b);
        if (common == 0)
            return 0;
        double precision = (double)common / a.Length, recall = (double)common / b.Length;
        return 2 * precision * recall / (precision + recall);
    }

    private static string[] Words(string text) => text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);

    private static int LongestCommonSubsequence(string[] a, string[] b)
    {
        var lengths = new int[b.Length + 1];
        foreach (var word in a)
        {
            var diagonal = 0;
            for (var j = 1; j <= b.Length; j++)
            {
                var above = lengths[j];
                lengths[j] = word == b[j - 1] ? diagonal + 1 : Math.Max(above, lengths[j - 1]);
                diagonal = above;
            }
        }
        return lengths[^1];
    }
}
