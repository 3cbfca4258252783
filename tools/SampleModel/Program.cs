using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using FedKSeed.Checkpoints;
using FedKSeed.SampleModel;
using static TorchSharp.torch;

const int VocabularySize = 1024, TokenizerLines = 40_000;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
var samples = new Option<string>("--samples") { Description = "Folder to write to.", DefaultValueFactory = _ => "samples" };
var seed = new Option<int>("--seed") { Description = "Everything drawn at random follows from it.", DefaultValueFactory = _ => 1 };
var steps = new Option<int>("--steps") { Description = "Optimiser steps.", DefaultValueFactory = _ => 1500 };
var noise = new Option<double>("--weight-noise")
{
    Description = "Noise on the weights while they learn.",
    DefaultValueFactory = _ => 0.015
};
var threads = new Option<int>("--threads") { Description = "Threads of torch.", DefaultValueFactory = _ => 1 };

var data = new Command("data", "Write the sample federation's data and prompt template.") { samples, seed };
data.SetAction(arguments =>
{
    var folder = arguments.GetRequiredValue(samples);
    FederationData.Draw(new FederationDataOptions(arguments.GetRequiredValue(seed))).Write(Path.Combine(folder, "data"));
    Prompt.WriteTemplate(Path.Combine(folder, "prompt.json"));
});

var model = new Command("model", "Train the tokenizer and the base model.") { samples, seed, steps, noise, threads };
model.SetAction(arguments =>
{
    set_num_threads(arguments.GetRequiredValue(threads));
    var folder = Directory.CreateDirectory(Path.Combine(arguments.GetRequiredValue(samples), "model")).FullName;
    var tokenizer = SampleTokenizer.Train(
        PretrainingTasks.Lines(new Random(arguments.GetRequiredValue(seed))).Take(TokenizerLines), VocabularySize);
    var shape = new LlamaShape(tokenizer.Encoding.Vocabulary.Count);
    Console.WriteLine($"{shape.ParameterCount} parameters, {shape.VocabularySize} tokens");
    var options = new PretrainingOptions(
        arguments.GetRequiredValue(steps), WeightNoise: arguments.GetRequiredValue(noise), Seed: arguments.GetRequiredValue(seed));
    var parameters = Pretraining.Run(shape, tokenizer, options, Console.Out);
    CheckpointWriter.Write(Path.Combine(folder, Checkpoint.SingleFile), parameters.Select(parameter =>
        new TensorContent(
            parameter.Key, TensorType.F32, parameter.Value.shape,
            MemoryMarshal.AsBytes<float>(parameter.Value.detach().data<float>().ToArray()).ToArray())));
    ModelFolder.Write(folder, shape, tokenizer.Encoding);
});

return new RootCommand("Makes the sample model and the sample federation's data.") { data, model }.Parse(args).Invoke();
